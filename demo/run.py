"""The demonstration itself: register, screen, withdraw, screen again, look at the disk."""

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from consent_client.builder import Builder
from consent_client.fingerprints.batches import available_cores, fingerprint_many
from consent_client.fingerprints.images import (
    IMAGE_SPACES,
    ImageFingerprints,
    available_spaces,
    registration_fingerprints,
)
from consent_client.protocol.statements import Basis, Purpose, Stance, Statement, Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant
from consent_client.saved_records import SavedRecord
from demo.certifying import certify
from demo.dataset import Candidate, build
from demo.outcomes import Judged, Registered, Report, Screening, judge
from demo.people import play
from demo.photographs import PHOTOGRAPHS, WITHDRAWN, Photograph, Role
from demo.registry_process import RunningRegistry, running_registry
from demo.scan import scan
from demo.seen import Seen

USE = Use.AI_GENERATIVE_TRAINING
SSCD = "sscd-1"

# A picture that is too plain for PDQ is checked all the same where sscd is there; where it is not,
# PDQ is all there is for edited copies, and what it can not see is not checked.
REQUIRED_WITH_SSCD = ("sha256", "sscd-1")
REQUIRED_WITHOUT_SSCD = ("sha256", "pdq-1")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Owner:
    """One person: a photograph, a state folder of their own, and a record."""

    registered: Registered
    state: Path
    record: SavedRecord = field(repr=False)


def run(work: Path, *, with_sscd: bool, with_faces: bool, say: Say) -> Report:
    """Plays the whole story below `work`, an empty folder.

    Args:
        work: everything is written below it: data set, registry, people's state.
        with_sscd: whether to use the sscd model, if it is installed.
        with_faces: whether to use the face models, if they are installed.
        say: is told what happens, a line at a time.

    Raises:
        ConsentError: the client could not do its part. RuntimeError: the registry did not start.
    """
    began = time.monotonic()
    spaces, without = choose_spaces(with_sscd=with_sscd)
    seen = Seen()
    folder = work / "dataset"
    candidates = build(folder)
    say(f"A data set of {len(candidates)} pictures is in {folder}.")
    with running_registry(work / "registry") as registry:
        say(f"A registry serves at {registry.address}.")
        protect_began = time.monotonic()
        owners = _protect_all(registry, work / "people", spaces, seen)
        protect_seconds = time.monotonic() - protect_began
        say(f"{len(owners)} people registered a photograph each.")
        in_force = {owner.registered.photograph.name for owner in owners}
        first = _screen(registry, "first screening", folder, candidates, in_force, spaces, seen)
        say(f"Screened in {first.seconds:.1f} s.")

        leaving = next(each for each in owners if each.registered.photograph.name == WITHDRAWN)
        status = _withdraw(registry, leaving)
        say(f"The record of {leaving.registered.photograph.title} was withdrawn.")
        second = _screen(
            registry, "second screening", folder, candidates, in_force - {WITHDRAWN}, spaces, seen
        )
        say(f"Screened again in {second.seconds:.1f} s.")
        people = play(
            registry, work / "people" / "portrait-of-mine", spaces, seen, with_faces=with_faces
        )
        say(people.words)
        certified = certify(registry, work / "certificate", _still_opted_out(owners))
        say(certified.words)
        searched = scan(registry.folder, seen.fingerprints)
    return Report(
        folder=folder,
        spaces=spaces,
        without_sscd=without,
        registered=tuple(owner.registered for owner in owners),
        protect_seconds=protect_seconds,
        screenings=(first, second),
        withdrawn=leaving.registered.photograph,
        status_after=status,
        people=people,
        certified=certified,
        scan=searched,
        seconds=time.monotonic() - began,
    )


def _still_opted_out(owners: list[_Owner]) -> Photograph:
    photographs = [owner.registered.photograph for owner in owners]
    return next(
        each for each in photographs if each.role is Role.OPTED_OUT and each.name != WITHDRAWN
    )


def choose_spaces(*, with_sscd: bool) -> tuple[tuple[str, ...], str]:
    """The spaces to use, and why sscd is not among them, if it is not."""
    spaces = available_spaces() if with_sscd else IMAGE_SPACES
    if not with_sscd:
        return tuple(space for space in spaces if space != SSCD), "--without-sscd was given"
    if SSCD not in spaces:
        return spaces, "the extra consent-client[sscd] is not installed"
    return spaces, ""


def _protect_all(
    registry: RunningRegistry, people: Path, spaces: Collection[str], seen: Seen
) -> list[_Owner]:
    """Each with a device of their own; they do not wait for each other's proof of work."""
    people.mkdir()
    photographs = [each for each in PHOTOGRAPHS if each.role is not Role.UNRELATED]
    with ThreadPoolExecutor(available_cores()) as pool:
        return list(
            pool.map(
                lambda each: _protect(registry, people / each.name, each, spaces, seen),
                photographs,
            )
        )


def _protect(
    registry: RunningRegistry,
    state: Path,
    photograph: Photograph,
    spaces: Collection[str],
    seen: Seen,
) -> _Owner:
    statement = _statement(photograph)
    made = registration_fingerprints(photograph.path, spaces)
    seen.add(made)
    with Registrant(registry.address, state=state) as registrant:
        registrant.ensure_phrase()
        record = registrant.protect(made.fingerprints, statement, label=photograph.title)
    assert record.register_index is not None  # noqa: S101 (a registered record has one)
    registered = Registered(
        photograph,
        _words(statement),
        {space: len(each) for space, each in made.fingerprints.items()},
        record.register_index,
    )
    return _Owner(registered, state, record)


def _statement(photograph: Photograph) -> Statement:
    if photograph.role is Role.CONSENTED:
        return Statement.of(dict.fromkeys(Use, Stance.ALLOWED), Basis.RIGHTSHOLDER)
    stances = dict.fromkeys(Use, Stance.NOT_ALLOWED)
    return Statement.of(stances, Basis.DATA_SUBJECT, photograph.given_for)


def _words(statement: Statement) -> str:
    words = f"{USE.cawg}={statement.stance(USE).text}"
    if len(set(statement.stances)) == 1:
        words += ", and so the other three uses"
    if statement.given_for is not Purpose.UNSAID:
        words += f"; given for {statement.given_for.term} only"
    return words


def _screen(
    registry: RunningRegistry,
    title: str,
    folder: Path,
    candidates: tuple[Candidate, ...],
    in_force: Collection[str],
    spaces: tuple[str, ...],
    seen: Seen,
) -> Screening:
    began = time.monotonic()
    items = []
    made_of = fingerprint_many(((each, folder / each.file) for each in candidates), spaces)
    for candidate, made in made_of:
        if isinstance(made, ImageFingerprints):
            seen.add(made)
            items.append((candidate, made.fingerprints))
    required = REQUIRED_WITH_SSCD if SSCD in spaces else REQUIRED_WITHOUT_SSCD
    with Builder(registry.address, token=registry.token) as builder:
        answers = list(
            builder.screen(items, dataset="demonstration", use=USE, required_spaces=required)
        )
    seconds = time.monotonic() - began
    verdicts = {answer.key.file: answer.verdict for answer in answers}
    return Screening(
        title,
        max(answer.log_size for answer in answers),
        seconds,
        tuple(_judged(candidates, verdicts, in_force)),
    )


def _judged(
    candidates: tuple[Candidate, ...], verdicts: dict[str, Verdict], in_force: Collection[str]
) -> Iterator[Judged]:
    for candidate in candidates:
        # What could not be fingerprinted could not be asked about: unknown, never clear.
        verdict = verdicts.get(candidate.file, Verdict.UNKNOWN)
        yield Judged(candidate, verdict, judge(candidate, verdict, in_force))


def _withdraw(registry: RunningRegistry, owner: _Owner) -> str:
    with Registrant(registry.address, state=owner.state) as registrant:
        registrant.withdraw(owner.record)
        return registrant.check(owner.record).status.value
