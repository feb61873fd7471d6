"""The log as GraphQL shows it: entries, proofs, and checkpoints as they come.

Nothing is here that the published files do not show as well (`registry.log_files`).
"""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from registry.api import problems
from registry.api.context import RequestInfo
from registry.api.scalars import Base64, LogIndex
from registry.services import log_entries, proofs
from registry.services.publishing import Published


@strawberry.type(description="Log entries, without gaps.")
class EntryBundle:
    """A page of the log."""

    start: LogIndex
    count: int
    log_size: LogIndex
    data: Base64 = strawberry.field(
        description="C2SP entry bundle: each entry after its length, two bytes big-endian."
    )


@strawberry.type(description="What the registry says its log is, signed.")
class Checkpoint:
    """A published checkpoint."""

    size: LogIndex = strawberry.field(description="Entries under it.")
    root: Base64 = strawberry.field(description="RFC 6962 root over them, 32 bytes.")
    note: str = strawberry.field(
        description="C2SP tlog-checkpoint, a note signed by the registry and by its witnesses."
    )


@strawberry.type(description="That an entry is in the published log of `size` entries.")
class InclusionProof:
    """An audit path."""

    index: LogIndex
    size: LogIndex
    hashes: list[Base64] = strawberry.field(description="RFC 6962 audit path, from the leaf up.")
    text: str | None = strawberry.field(
        description="The same as C2SP tlog-proof, with the checkpoint; only for the newest one."
    )


@strawberry.type(description="That the log of `newSize` entries begins with that of `oldSize`.")
class ConsistencyProof:
    """RFC 6962 section 2.1.2."""

    old_size: LogIndex
    new_size: LogIndex
    hashes: list[Base64]


EntriesResult = Annotated[EntryBundle | problems.InvalidInput, strawberry.union("EntriesResult")]
CheckpointResult = Annotated[
    Checkpoint | problems.InvalidInput, strawberry.union("CheckpointResult")
]
InclusionResult = Annotated[
    InclusionProof | problems.InvalidInput, strawberry.union("InclusionResult")
]
ConsistencyResult = Annotated[
    ConsistencyProof | problems.InvalidInput, strawberry.union("ConsistencyResult")
]


def _shown(published: Published) -> Checkpoint:
    return Checkpoint(
        size=LogIndex(published.size), root=Base64(published.root), note=published.note
    )


@strawberry.type
class LogQuery:
    """What can be asked of the log; needs no token."""

    @strawberry.field(
        description="Entries of the log from `start` on, at most `count` and at most "
        f"{log_entries.MAX_PAGE}. They are public and name nobody."
    )
    async def entries(self, info: RequestInfo, start: LogIndex, count: int) -> EntriesResult:
        """Limited per address."""
        registry = info.context.registry
        page = await log_entries.read_page(
            registry.store, registry.entries_limit, info.context.address, start, count
        )
        return EntryBundle(
            start=LogIndex(page.start),
            count=page.count,
            log_size=LogIndex(page.log_size),
            data=Base64(page.data),
        )

    @strawberry.field(description="The newest published checkpoint.")
    def checkpoint(self, info: RequestInfo) -> CheckpointResult:
        """The same as the file /log/checkpoint."""
        return _shown(proofs.newest(info.context.registry.publisher))

    @strawberry.field(
        description="Proves an entry, by the newest checkpoint or for an older size of the log."
    )
    async def inclusion_proof(
        self, info: RequestInfo, index: LogIndex, size: LogIndex | None = None
    ) -> InclusionResult:
        """Limited per address."""
        registry = info.context.registry
        proof = await proofs.inclusion(
            registry.publisher, registry.entries_limit, info.context.address, index, size
        )
        return InclusionProof(
            index=LogIndex(proof.index),
            size=LogIndex(proof.size),
            hashes=[Base64(each) for each in proof.hashes],
            text=proof.text,
        )

    @strawberry.field(description="Proves that the log has only grown.")
    async def consistency_proof(
        self, info: RequestInfo, old_size: LogIndex, new_size: LogIndex
    ) -> ConsistencyResult:
        """Limited per address."""
        registry = info.context.registry
        hashes = await proofs.consistency(
            registry.publisher, registry.entries_limit, info.context.address, old_size, new_size
        )
        return ConsistencyProof(
            old_size=old_size, new_size=new_size, hashes=[Base64(each) for each in hashes]
        )


@strawberry.type
class Subscription:
    """What can be waited for, as server-sent events."""

    @strawberry.subscription(
        description="The newest published checkpoint, and every newer one as it is published; "
        "under load some in between are left out."
    )
    async def checkpoints(self, info: RequestInfo) -> AsyncIterator[Checkpoint]:
        """Ends only when the client does, or the registry."""
        registry = info.context.registry
        async for published in registry.watchers.checkpoints(registry.publisher):
            yield _shown(published)
