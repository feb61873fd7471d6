"""What became of each picture, told from its verdict and from what was really done to it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from consent_client.protocol.verdicts import Verdict
from demo.certifying import CertifiedStory
from demo.dataset import CUT_SHORT, ORIGINAL, Candidate
from demo.people import PeopleStory
from demo.photographs import Photograph, Role
from demo.scan import Scan


class Outcome(Enum):
    """The judgement over one verdict, knowing the truth, which the registry does not.

    The value is a word for people and what it means.
    """

    EXCLUDED = ("excluded", "a copy of an opted-out picture, and it was dropped")
    PERMITTED = ("permitted", "a copy of a picture that somebody states may be used")
    KEPT = ("kept", "nobody's statement is in force for it, and it was kept")
    MISSED = ("missed", "a copy of an opted-out picture, and it was kept")
    CONSENT_MISSED = ("kept, consent not seen", "a copy of a permitted picture, not recognised")
    WRONGLY_EXCLUDED = ("wrongly excluded", "dropped, and no opt-out is in force for it")
    WRONGLY_PERMITTED = ("wrongly permitted", "nobody stated that it may be used")
    UNKNOWN = ("not checked", "a fingerprint could not be made, so it was dropped")

    @property
    def word(self) -> str:
        """The word for a table or a badge."""
        return self.value[0]

    @property
    def meaning(self) -> str:
        """One sentence."""
        return self.value[1]


def judge(candidate: Candidate, verdict: Verdict, in_force: Collection[str]) -> Outcome:
    """Compares a verdict with the truth; `in_force` names the photographs with a live record."""
    role = candidate.photograph.role if candidate.photograph.name in in_force else Role.UNRELATED
    if verdict is Verdict.UNKNOWN:
        return Outcome.UNKNOWN
    if verdict is Verdict.EXCLUDE:
        return Outcome.EXCLUDED if role is Role.OPTED_OUT else Outcome.WRONGLY_EXCLUDED
    if verdict is Verdict.PERMIT:
        return Outcome.PERMITTED if role is Role.CONSENTED else Outcome.WRONGLY_PERMITTED
    return {
        Role.OPTED_OUT: Outcome.MISSED,
        Role.CONSENTED: Outcome.CONSENT_MISSED,
        Role.UNRELATED: Outcome.KEPT,
    }[role]


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture of the data set and what became of it."""

    candidate: Candidate
    verdict: Verdict
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Screening:
    """One screening of the whole data set: what the registry said, at which size of its log.

    `seconds` is the whole of it as the builder waits for it: fingerprints and answers.
    """

    title: str
    log_size: int
    seconds: float
    judged: tuple[Judged, ...]

    def count(self) -> Counter[Outcome]:
        """How many pictures came to each outcome."""
        return Counter(each.outcome for each in self.judged)

    def found(self) -> dict[str, tuple[int, int]]:
        """For each edit: copies of opted-out pictures that were found, and how many there are."""
        table: dict[str, tuple[int, int]] = {}
        for each in self.judged:
            candidate = each.candidate
            is_a_copy = candidate.photograph.role is Role.OPTED_OUT and candidate.edit != CUT_SHORT
            if is_a_copy and each.outcome in FOUND_OR_NOT:
                found, of = table.get(candidate.edit, (0, 0))
                table[candidate.edit] = (found + (each.outcome is Outcome.EXCLUDED), of + 1)
        return table

    def missed(self) -> dict[str, list[str]]:
        """Each photograph of which copies were missed: its title, and which edits."""
        table: dict[str, list[str]] = {}
        for each in self.judged:
            if each.outcome is Outcome.MISSED:
                table.setdefault(each.candidate.photograph.title, []).append(each.candidate.edit)
        return table


@dataclass(frozen=True, slots=True)
class Registered:
    """What one person registered.

    Attributes:
        photograph: of which picture.
        words: what was stated, for people.
        fingerprints: how many were sealed and sent, by space.
        entry: index of the REGISTER entry in the log.
    """

    photograph: Photograph
    words: str
    fingerprints: Mapping[str, int]
    entry: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the table and the page say; every figure was measured in this run.

    Attributes:
        folder: the data set's.
        spaces: in which pictures were fingerprinted.
        without_sscd: why the sscd model was not used; empty where it was.
        registered: the records, in order.
        protect_seconds: fingerprints, seals, proofs of work and registrations, together.
        screenings: before and after the withdrawal.
        withdrawn: whose record was withdrawn.
        status_after: what the registry says about it since.
        people: the story of the portraits.
        certified: the story of the certificate.
        scan: the search of the registry's disk.
        seconds: the whole run.
    """

    folder: Path
    spaces: tuple[str, ...]
    without_sscd: str
    registered: tuple[Registered, ...]
    protect_seconds: float
    screenings: tuple[Screening, Screening]
    withdrawn: Photograph
    status_after: str
    people: PeopleStory
    certified: CertifiedStory
    scan: Scan
    seconds: float

    @property
    def failures(self) -> tuple[str, ...]:
        """What must not happen and did: unchanged files missed, a withdrawal without effect."""
        first, second = self.screenings
        problems = [
            f"{each.candidate.file}: {each.outcome.word} in the {screening.title}"
            for screening in self.screenings
            for each in screening.judged
            if each.outcome in MUST_NOT_HAPPEN
            or (each.candidate.edit == ORIGINAL and each.outcome in MISSES)
        ]
        if self.scan.found:
            problems.append(f"{self.scan.found} fingerprints are readable on the registry's disk")
        if not second.log_size > first.log_size:
            problems.append("the second screening did not see the withdrawal")
        problems += self.people.failures
        problems += self.certified.failures
        return tuple(problems)


FOUND_OR_NOT: Sequence[Outcome] = (Outcome.EXCLUDED, Outcome.MISSED, Outcome.UNKNOWN)
MISSES: Sequence[Outcome] = (Outcome.MISSED, Outcome.CONSENT_MISSED)
MUST_NOT_HAPPEN: Sequence[Outcome] = (Outcome.WRONGLY_EXCLUDED, Outcome.WRONGLY_PERMITTED)
