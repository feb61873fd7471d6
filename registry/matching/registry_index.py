"""Everything that is registered and active, in all spaces, at one log size.

Memory: an exact fingerprint takes 40 bytes (and 16 once it was searched), a `pdq-1` 40 and an
`sscd-1` 2,060, each with its owner. Beside them lies what is searched: 32 to 114 bytes for a
`pdq-1` once it was compacted (`consent_client.search.binary`), and 594 for an `sscd-1`. A record
with one `sha256`, one `url-1`, eight `pdq-1` and two `sscd-1` has 4,520 bytes, and some 2,000 of
that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import BadFingerprint, UnknownSpace
from consent_client.protocol.fingerprints import Fingerprints, decode_kept_floats
from consent_client.protocol.spaces import SPACES, Kind, Space
from consent_client.search import binary, cascade
from registry.matching.binary import BinaryKernel
from registry.matching.exact import ExactKernel
from registry.matching.floats import FloatKernel
from registry.matching.kernels import Graded, Hits, Kernel, Vectors
from registry.matching.policies import NO_BANK, Policy, least_thresholds
from registry.matching.segments import SpaceView
from registry.matching.space_index import Compacted, Compaction, SpaceIndex
from registry.matching.specificity import NO_PICTURES, Bank, Nearest

_NOT_NEAR = (float(NO_BANK),)

type Added = tuple[int, Fingerprints, Nearest | None]
"""A record to be added: its register index, its fingerprints, and what is nearest to them in the
index's bank; None where that is not known and has to be computed."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexView:
    """What was active at one moment; immutable, for any number of threads.

    Attributes:
        spaces: space id → what lies in that space.
        bank: version of the specificity bank that its records are measured against.
    """

    spaces: Mapping[str, SpaceView] = field(repr=False)
    bank: int

    def search(self, space_id: str, vectors: Vectors) -> Hits:
        """All matches of some candidates in one space.

        Args:
            space_id: which.
            vectors: uint8[n, bytes] of an exact or binary space, float32[n, dimension] of norm 1
                of a float space.

        Returns:
            Two int64[h]: row numbers in `vectors`, and register indices; a pair may come more than
            once, and memory is 16 bytes for each. Where many may match, use `portions`.

        Raises:
            UnknownSpace: no such space here.
            ValueError: another type or shape, or not finite.
        """
        return self._space(space_id).search(vectors)

    def portions(self, space_id: str, vectors: Vectors, policy: Policy) -> Iterator[Hits]:
        """What matches under a policy, in portions of bounded size; no similarity comes out.

        Args:
            space_id: which.
            vectors: as for `search`.
            policy: the session's.

        Raises:
            UnknownSpace: also a float space that the policy says nothing of.
            ValueError: as `search`.
        """
        return self._space(space_id).portions(vectors, policy.thresholds(space_id))

    def graded(self, space_id: str, vectors: Vectors, policy: Policy) -> Iterator[Graded]:
        """As `portions`, and what comes so near that a verdict tells something of the record.

        Raises:
            UnknownSpace, ValueError: as `portions`.
        """
        return self._space(space_id).graded(vectors, policy.thresholds(space_id))

    def _space(self, space_id: str) -> SpaceView:
        found = self.spaces.get(space_id)
        if found is None:
            raise UnknownSpace("no index of a fingerprint space with this id")
        return found


class MatchingIndex:
    """The registered fingerprints of all spaces, changed by one thread while others search.

    Args:
        spaces: which, by id.
        bank: what records are measured against that come without measures.
    """

    def __init__(self, spaces: Mapping[str, Space] = SPACES, bank: Bank = NO_PICTURES) -> None:
        self._spaces = spaces
        self.bank = bank
        self._indexes = {name: SpaceIndex(_kernel(space)) for name, space in spaces.items()}
        self._view = self._look()

    @property
    def view(self) -> IndexView:
        """What is active now."""
        return self._view

    def apply(self, added: Sequence[Added], removed: Sequence[int]) -> IndexView:
        """Adds records, then removes some.

        Args:
            added: in the order of the log.
            removed: register indices; one that is not here is passed over.

        Returns:
            The new view, all spaces changed; earlier views stay as they are.

        Raises:
            ProtocolError: fingerprints that do not follow FORMATS.
            ValueError: register indices do not ascend from call to call, or there is not one
                `nearest` for each fingerprint of a space that has any.
            In both cases nothing was changed.
        """
        new = {}
        for name, index in self._indexes.items():
            new[name] = index.rows(*_column(self._spaces[name], added, self.bank))
        gone = np.array(removed, np.int64)
        for name, rows in new.items():
            self._indexes[name].apply(rows, gone)
        self._view = self._look()
        return self._view

    def compact(self) -> IndexView:
        """Lets removed fingerprints leave memory, once earlier views are dropped.

        Returns:
            The new view, with the same answers. Costs nothing where nothing was removed or added,
            else the copying of every segment with something removed (128 MiB at most for each of
            floats, some 0.1 s) and new buckets for binary ones (0.6 s for a million), and that much
            memory until earlier views are dropped.
        """
        return self.install(self.plan().build())

    def plan(self) -> "Compactions":
        """The first step of compacting, which is quick.

        Returns:
            What there is to do; its `build` may run in another thread while this index goes on.
        """
        plans = {name: index.plan() for name, index in self._indexes.items()}
        self._view = self._look()
        return Compactions(plans)

    def install(self, compacted: Mapping[str, Compacted]) -> IndexView:
        """The last step of compacting, which is quick: puts in place what was built.

        Args:
            compacted: built out of the last `plan`.

        Returns:
            The new view, with the same answers.
        """
        for name, index in self._indexes.items():
            index.install(compacted[name])
        self._view = self._look()
        return self._view

    def _look(self) -> IndexView:
        return IndexView(
            MappingProxyType({name: index.view for name, index in self._indexes.items()}),
            self.bank.version,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Compactions:
    """What is to be compacted in each space."""

    plans: Mapping[str, Compaction] = field(repr=False)

    def build(self) -> dict[str, Compacted]:
        """The long step: writes segments anew."""
        return {name: plan.build() for name, plan in self.plans.items()}


def warm() -> None:
    """Compiles what searching needs, or loads what was compiled before; once per process.

    The first time on a machine that takes 20 s of processor time, later 1 s.
    """
    cascade.warm()
    binary.warm()


def _kernel(space: Space) -> Kernel:
    match space:
        case Space(kind=Kind.EXACT, size=ExactKernel.width):
            return ExactKernel()
        case Space(kind=Kind.BINARY, size=size, radius=int(radius)):
            return BinaryKernel(size, radius)
        case Space(kind=Kind.FLOAT, dimension=dimension, threshold=float()):
            return FloatKernel(dimension, least_thresholds(space))
    raise ValueError(f"the space {space.id} has another size, or does not say what matches")


def _column(
    space: Space, added: Sequence[Added], bank: Bank
) -> tuple[NDArray[np.int64], Vectors, NDArray[np.float32]]:
    """Owners and vectors of all fingerprints in one space, and what is nearest to them."""
    values: list[bytes] = []
    owners: list[int] = []
    nearest: list[float] = []
    unmeasured: list[int] = []
    for register_index, fingerprints, measured in added:
        of_record = fingerprints.get(space.id, ())
        values += of_record
        owners += [register_index] * len(of_record)
        if measured is None:
            unmeasured += range(len(nearest), len(nearest) + len(of_record))
        near = (measured or {}).get(space.id, _NOT_NEAR * len(of_record))
        if len(near) != len(of_record):
            raise ValueError("there is one `nearest` for each fingerprint of a space, or none")
        nearest += near
    if any(len(value) != space.size for value in values):
        raise BadFingerprint("a fingerprint of the wrong size for its space")
    data = b"".join(values)
    of_bank = np.array(nearest, np.float32)
    if space.kind is not Kind.FLOAT:
        codes = np.frombuffer(data, np.uint8).reshape(-1, space.size)
        return np.array(owners, np.int64), codes, of_bank
    vectors = decode_kept_floats(data, space)
    if unmeasured:
        of_bank[unmeasured] = bank.nearest(space.id, vectors[unmeasured])
    return np.array(owners, np.int64), vectors, of_bank
