"""What a screening asks: fixed when it begins, and the same when it is resumed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from consent_client.adapters.rows import Source, given_spaces
from consent_client.errors import OutputError, SourceChanged, UnknownSpace
from consent_client.operations import Screening
from consent_client.protocol.spaces import MAX_SPACES, PERSON_SPACES, SPACES
from consent_client.protocol.statements import Use

PLAN_KIND: Final = "consent-client/screening-plan/v1"

_URL = "url-1"
_EXACT = "sha256"
_BINARY = "pdq-1"
_FLOAT = "sscd-1"


@dataclass(frozen=True, slots=True)
class Order:
    """What the builder wants.

    Attributes:
        dataset: its name, seen by the registry's operator.
        use: what the data set is for.
        required_spaces: an image not checked in one of them is UNKNOWN; None: see
            `default_required`.
        spaces: of works; fingerprints of pictures are computed in these only. None: in all that can
            be computed here.
        keep_unknown: keep what could not be checked.
        contest: contest exclusions that rest on resemblance alone, with crops of the pictures.
        opt_in_spaces: spaces of people (`face-1`) to look in too.
        lawful_basis_stated: whether you state that you may lawfully process biometric data of the
            people in these pictures; without it no registry opens a session with such spaces.
        workers: threads that fingerprint; None: one per core.
        model_files: space id → a model file of one's own.
    """

    dataset: str
    use: Use
    required_spaces: tuple[str, ...] | None = None
    spaces: tuple[str, ...] | None = None
    keep_unknown: bool = False
    contest: bool = False
    opt_in_spaces: tuple[str, ...] = ()
    lawful_basis_stated: bool = False
    workers: int | None = None
    model_files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays the same over a screening's runs.

    Attributes:
        source: digest of the data set.
        origin: the registry's name.
        spaces: in which fingerprints are computed, ascending.
        required_spaces: some of them, ascending.
        candidates: rows.
        block_rows: rows in a block, the last shorter.
        contest: whether excluded rows are contested.
    """

    source: str
    origin: str
    dataset: str
    use: str
    spaces: tuple[str, ...]
    required_spaces: tuple[str, ...]
    candidates: int
    block_rows: int
    contest: bool = False

    @property
    def opt_in_spaces(self) -> tuple[str, ...]:
        """Those of the spaces that are of people: they are computed only where opted in to."""
        return tuple(name for name in self.spaces if name in PERSON_SPACES)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.candidates // self.block_rows)

    def rows_in(self, block: int) -> int:
        """How many rows one block has."""
        return min(self.block_rows, self.candidates - block * self.block_rows)

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps({"kind": PLAN_KIND, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, path: str) -> Self:
        """The plan in a file.

        Raises:
            OutputError: the file is damaged, or none of this program.
        """
        plan: Self | None = None
        try:
            value = json.loads(text)
            if value.pop("kind") == PLAN_KIND:
                plan = cls._of(value)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            plan = None
        if plan is None:
            raise OutputError(f"{path} is damaged; begin anew in another folder")
        return plan

    @classmethod
    def _of(cls, value: dict[str, Any]) -> Self:
        spaces = tuple(map(str, value.pop("spaces")))
        required = tuple(map(str, value.pop("required_spaces")))
        plan = cls(spaces=spaces, required_spaces=required, **value)
        numbers = (plan.candidates, plan.block_rows)
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise ValueError("no rows")
        if not isinstance(plan.contest, bool):
            raise TypeError("contested or not")
        return plan

    def check_same(self, now: Self) -> None:
        """Refuses to go on where something else is asked than at the start.

        Raises:
            SourceChanged: it says what differs.
        """
        differing = [name for name, value in asdict(self).items() if value != getattr(now, name)]
        if differing:
            raise SourceChanged(
                f"not the same as when this screening began: {', '.join(differing)}. Begin anew "
                "with --restart or another --out."
            )


def session_of(plan: Plan, screening: str) -> Screening:
    """A session that was opened for this plan."""
    use = Use.from_cawg(plan.use)
    return Screening(screening, use, plan.required_spaces, plan.candidates, 0)


def default_required(spaces: Sequence[str], *, has_images: bool) -> tuple[str, ...]:
    """What an image must be checked in where nothing is said: all that can be computed here.

    Except `pdq-1` beside `sscd-1`: it is left out of plain pictures on purpose, which `sscd-1`
    covers. And `url-1` beside pictures: a row without an address was still looked at.
    """
    if not has_images:
        return (_URL,)
    passed_over = {_URL, _BINARY} if _FLOAT in spaces else {_URL}
    return tuple(name for name in spaces if name not in passed_over)


def choose_spaces(
    source: Source,
    computable: Sequence[str],
    known: Sequence[str],
    required: Sequence[str] | None,
    opt_in: Sequence[str] = (),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The spaces to compute and, of them, those required; both ascending.

    Args:
        source: the data set.
        computable: spaces of pictures that this installation computes.
        known: spaces of the registry.
        required: what the builder asked for, or None.
        opt_in: spaces of people that the builder asked for; of others nobody is looked for.

    Raises:
        UnknownSpace: one that was asked for does not exist, or can not be had of this data set
            here; or a space of people is required and not opted in to.
    """
    _check_people(source, known, required or (), opt_in)
    given = given_spaces(source)
    able = {*computable, *opt_in} if source.has_images else set[str]()
    for name in given:
        if name not in known:
            raise UnknownSpace(f"this registry does not match in {name}, which the vectors are of")
    able.update(given)
    if source.has_urls:
        able.add(_URL)
    spaces = tuple(sorted(able & set(known)))[:MAX_SPACES]
    if required is None:
        looked_at = source.has_images or bool(given)
        return spaces, default_required(spaces, has_images=looked_at)
    for name in required:
        if name not in SPACES:
            raise UnknownSpace(f"there is no fingerprint space {name!r}")
        if name not in spaces:
            raise UnknownSpace(
                f"{name} is required, but can not be computed of this data set here, or is not "
                "matched by this registry"
            )
    return spaces, tuple(sorted(set(required)))


def _check_people(
    source: Source, known: Sequence[str], required: Sequence[str], opt_in: Sequence[str]
) -> None:
    for name in opt_in:
        if name not in PERSON_SPACES:
            raise UnknownSpace(f"{name} is no space of people: it needs no opting in")
        if name not in known:
            raise UnknownSpace(f"this registry does not look for people in {name}")
        if not source.has_images:
            raise UnknownSpace(f"{name} needs pictures, and this data set has none")
    for name in required:
        if name in PERSON_SPACES and name not in opt_in:
            raise UnknownSpace(f"{name} is required, but looking for people was not opted in to")
