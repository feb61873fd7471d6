"""What can be asked: the registry, a challenge, one's own record, and the log (`api.log`)."""

from importlib.metadata import version
from typing import Annotated

import strawberry

from consent_client.protocol.screening import MAX_BLOCK
from registry.api import limits, problems, types
from registry.api.bodies import PUBLIC_BODY_BYTES
from registry.api.context import RequestInfo
from registry.api.log import LogQuery
from registry.api.scalars import Base64, LogIndex
from registry.services import log_entries, own_record, sessions
from registry.services.people import spaces_in_force

SOFTWARE = f"consent-registry/{version('consent-registry')}"  # read once: it is looked up on disk

ChallengeResult = Annotated[
    types.Challenge | problems.InvalidInput, strawberry.union("ChallengeResult")
]
RecordResult = Annotated[
    types.OwnRecord | problems.NotYours | problems.InvalidInput, strawberry.union("RecordResult")
]


@strawberry.input(description="A signature over a challenge's nonce, by the record's owner.")
class ReadRecordInput:
    """FORMATS §3."""

    record_id: Base64 = strawberry.field(description="16 bytes.")
    owner_public_key: Base64 = strawberry.field(description="32 bytes, Ed25519.")
    nonce: Base64 = strawberry.field(description="From `challenge`, for this record id.")
    signature: Base64 = strawberry.field(description="64 bytes.")

    def __repr__(self) -> str:
        """Without what was sent."""
        return "ReadRecordInput(…)"


@strawberry.type
class Query(LogQuery):
    """The queries."""

    @strawberry.field(description="The registry: name, keys, spaces, limits.")
    def registry(self, info: RequestInfo) -> types.RegistryInfo:
        """Needs no token and costs nothing."""
        registry = info.context.registry
        settings = registry.settings
        return types.RegistryInfo(
            origin=settings.origin,
            software=SOFTWARE,
            ready=registry.ready,
            log_size=LogIndex(registry.follower.log_size),
            verifier_key=registry.signer.verifier.vkey,
            sealing_keys=registry.sealing.note,
            spaces=[
                types.Space(
                    id=space.id,
                    kind=space.kind,
                    dimension=space.dimension,
                    bytes=space.size,
                    radius=space.radius,
                    threshold=space.threshold,
                    finds=space.finds,
                    subject=space.subject,
                    definition=space.definition,
                )
                for space in spaces_in_force(settings.face_threshold).values()
            ],
            limits=types.Limits(
                body_bytes=settings.max_body_bytes,
                public_body_bytes=PUBLIC_BODY_BYTES,
                query_characters=limits.MAX_QUERY_CHARACTERS,
                depth=limits.MAX_DEPTH,
                aliases=limits.MAX_ALIASES,
                root_fields=limits.MAX_ROOT_FIELDS,
                block_images=MAX_BLOCK,
                candidates=LogIndex(sessions.MAX_CANDIDATES),
                entries_page=log_entries.MAX_PAGE,
                records=LogIndex(settings.max_records),
                registrations=settings.registration_limit,
                challenges=settings.challenge_limit,
            ),
        )

    @strawberry.field(
        description="Work to do before `register`, and a nonce to sign for `record`; both good "
        "for this record id and ten minutes."
    )
    def challenge(self, info: RequestInfo, record_id: Base64) -> ChallengeResult:
        """Limited per address."""
        registry = info.context.registry
        registry.challenge_limit.admit(info.context.address)
        challenge = registry.challenges.issue(record_id)
        return types.Challenge(
            proof_of_work=challenge.proof_of_work,
            nonce=Base64(challenge.nonce),
            expires_at=LogIndex(challenge.expires_at),
        )

    @strawberry.field(
        description="One's own record. Unknown id and wrong signature get the same answer."
    )
    async def record(self, info: RequestInfo, input: ReadRecordInput) -> RecordResult:  # noqa: A002 (GraphQL's convention)
        """Limited per address."""
        request = own_record.ReadRequest(
            record_id=input.record_id,
            owner_public_key=input.owner_public_key,
            nonce=input.nonce,
            signature=input.signature,
        )
        record = await own_record.read_own_record(
            info.context.registry, request, info.context.address
        )
        return types.OwnRecord(
            record_id=Base64(record.record_id),
            status=types.RecordStatus(record.status),
            register_index=LogIndex(record.register_index),
            terminal_index=(
                None if record.terminal_index is None else LogIndex(record.terminal_index)
            ),
            commitment=Base64(record.commitment),
            statement=None if record.statement is None else Base64(record.statement),
            image_digest=None if record.image_digest is None else Base64(record.image_digest),
            protection=types.protection_of(record.protection),
            exclusions=types.exclusions_of(record.exclusions),
            disputes=[
                types.Dispute(index=LogIndex(each.index), outcome=each.outcome, reason=each.reason)
                for each in record.disputes
            ],
        )
