"""What an audit says: what is verified, what is bounded, what nobody can verify, and what failed.

A report is made of facts and not of a mark: who reads that everything passed learns as well what
that does not show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_LISTED: Final = 100
"""Findings of one kind that are listed; a log can have millions, and one is enough."""

KIND: Final = "consent-client/audit-report/v1"


class Fault(StrEnum):
    """What can be wrong. The values are stable: programs decide by them."""

    BAD_CHECKPOINT = "BAD_CHECKPOINT"
    UNWITNESSED = "UNWITNESSED"
    FORKED = "FORKED"
    INCONSISTENT = "INCONSISTENT"
    ROLLED_BACK = "ROLLED_BACK"
    STALE = "STALE"
    MISSING_FILE = "MISSING_FILE"
    BAD_BUNDLE = "BAD_BUNDLE"
    BAD_TILE = "BAD_TILE"
    CONTRADICTION = "CONTRADICTION"
    WRONG_ROOT = "WRONG_ROOT"
    BAD_ENTRY = "BAD_ENTRY"
    BAD_REFERENCE = "BAD_REFERENCE"
    FORGED_WITHDRAWAL = "FORGED_WITHDRAWAL"
    ENDED_TWICE = "ENDED_TWICE"
    BAD_DAY = "BAD_DAY"
    BAD_SESSION = "BAD_SESSION"
    BAD_SNAPSHOT = "BAD_SNAPSHOT"
    BAD_RECEIPT = "BAD_RECEIPT"
    NOT_ACTIVE = "NOT_ACTIVE"
    BAD_CERTIFICATE = "BAD_CERTIFICATE"
    SUPERSEDED = "SUPERSEDED"
    BAD_EVIDENCE = "BAD_EVIDENCE"
    BAD_MANIFEST = "BAD_MANIFEST"
    SHIPPED = "SHIPPED"
    NOT_SHIPPED_AS_SAID = "NOT_SHIPPED_AS_SAID"
    MISSED = "MISSED"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it has to be.

    Attributes:
        fault: what kind.
        where: a file below the log, an entry, or a file given; never content.
        message: for people.
    """

    fault: Fault
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Something that was checked and holds, whoever says otherwise."""

    what: str


@dataclass(frozen=True, slots=True)
class Bounded:
    """Something that is known up to a limit.

    Attributes:
        what: in words.
        numbers: the limits, by name.
    """

    what: str
    numbers: Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """Something that this audit can not tell, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Report:
    """What one audit found.

    Attributes:
        title: what was audited, for people.
        facts: what it is about, by name: origin, size, root and so on.
        verified, bounded, unverifiable: the three lists.
        failed: what is wrong; at most `MAX_LISTED` of each kind, `counts` has how many there are.
        notes: what should be known and is nothing wrong.
    """

    title: str
    facts: dict[str, str | int] = field(default_factory=dict)
    verified: list[Verified] = field(default_factory=list)
    bounded: list[Bounded] = field(default_factory=list)
    unverifiable: list[Unverifiable] = field(default_factory=list)
    failed: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    counts: dict[Fault, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failed

    def fail(self, fault: Fault, where: str, message: str) -> None:
        """Says that something is wrong."""
        self._count(self.failed, Finding(fault, where, message))

    def note(self, fault: Fault, where: str, message: str) -> None:
        """Says something that is nothing wrong by itself."""
        self._count(self.notes, Finding(fault, where, message))

    def holds(self, what: str) -> None:
        """Says that something is verified."""
        self.verified.append(Verified(what))

    def bound(self, what: str, **numbers: float) -> None:
        """Says that something is known up to a limit."""
        self.bounded.append(Bounded(what, numbers))

    def cannot(self, what: str, why: str) -> None:
        """Says that something can not be verified, and why; once."""
        if Unverifiable(what, why) not in self.unverifiable:
            self.unverifiable.append(Unverifiable(what, why))

    def take(self, other: "Report", *, as_notes: bool = False) -> None:
        """Takes in what another report found wrong, or only to be known."""
        (self.notes if as_notes else self.failed).extend(other.failed)
        self.notes.extend(other.notes)
        for fault, count in other.counts.items():
            self.counts[fault] = self.counts.get(fault, 0) + count

    def has(self, *faults: Fault) -> bool:
        """Whether something of one of these kinds is wrong."""
        return any(each.fault in faults for each in self.failed)

    def unlisted(self) -> Iterator[tuple[Fault, int]]:
        """Kinds of which there are more than are listed, and how many more."""
        return ((kind, n - MAX_LISTED) for kind, n in self.counts.items() if n > MAX_LISTED)

    def to_json(self) -> dict[str, object]:
        """The report for programs."""
        return {
            "kind": KIND,
            "title": self.title,
            "ok": self.ok,
            "facts": dict(self.facts),
            "failed": [_finding(each) for each in self.failed],
            "notes": [_finding(each) for each in self.notes],
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "verified": [each.what for each in self.verified],
            "bounded": [{"what": each.what, **each.numbers} for each in self.bounded],
            "unverifiable": [{"what": each.what, "why": each.why} for each in self.unverifiable],
        }

    def _count(self, findings: list[Finding], finding: Finding) -> None:
        seen = self.counts.get(finding.fault, 0) + 1
        self.counts[finding.fault] = seen
        if seen <= MAX_LISTED:
            findings.append(finding)


def number_text(value: float) -> str:
    """A number for people."""
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "fault": finding.fault.value,
        "where": finding.where,
        "message": finding.message,
    }
