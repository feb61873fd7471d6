"""`consent protect`: state something about pictures."""

import datetime as dt
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from consent_client.adapters.folder import pictures_below
from consent_client.adapters.rows import shown_key
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    Common,
    err,
    error_json,
    may_pass,
    print_json,
    usage,
    with_common,
)
from consent_client.cli.faces import (
    FACE_SPACE,
    WHAT_IT_MEANS,
    check_face_options,
    with_chosen_face,
)
from consent_client.cli.models import WITHOUT_SSCD, computable_spaces, model_files
from consent_client.cli.phrase import LOSING_IT
from consent_client.cli.record_texts import limits_of, name_of, record_json, state_of
from consent_client.cli.words import BASES, PURPOSES, USES, said, statement_of
from consent_client.errors import ConsentError, MissingModel, RegistryProblem, UnreadableImage
from consent_client.protocol.fingerprints import Fingerprints
from consent_client.protocol.spaces import MAX_FINGERPRINTS, SPACES
from consent_client.protocol.statements import Statement
from consent_client.registrant import Registrant
from consent_client.saved_records import SavedRecord, Stage

SPREAD_HOURS: Final = 12.0
"""Long enough that a registry with a few registrations an hour puts others' between them."""

TOO_GENERIC: Final = "TOO_GENERIC"

_SSCD = "sscd-1"
_URL = "url-1"
_SECONDS_PER_HOUR = 3600.0
_NAP_SECONDS = 30.0

type Prepared = tuple[str, Fingerprints]
"""A label and the fingerprints to register."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be computed of each picture, beside what always is.

    Attributes:
        files: space id → a model file of one's own.
        face: whether a face is registered too.
        face_number: which; None: the only one, or the one that the person at the terminal picks.
    """

    files: dict[str, Path]
    face: bool
    face_number: int | None


@dataclass(slots=True)
class _Work:
    """What a run has done so far."""

    common: Common
    registrant: Registrant
    leave_out: bool | None = None
    records: dict[int, SavedRecord] = field(default_factory=dict)
    failed: list[ConsentError] = field(default_factory=list)
    stopped: bool = False

    def fail(self, name: str, error: ConsentError) -> None:
        """Takes down what could not be done, and says so."""
        self.failed.append(error)
        self.common.note(f"{name}: {error}")


@with_common
def protect(
    common: Common,
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures, or folders of them.", metavar="IMAGES…"),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="USE=STANCE",
            help=f"What you state about one use ({USES}): allowed, notAllowed or unsaid. May be "
            "repeated. Uses that are not named are notAllowed.",
        ),
    ] = None,
    basis: Annotated[
        str, typer.Option(help=f"As what you speak: {', '.join(BASES)}. Nobody checks it.")
    ] = "data-subject",
    given_for: Annotated[
        str | None,
        typer.Option(help=f"The only purpose you gave it for: {', '.join(PURPOSES)}."),
    ] = None,
    until: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day it holds (UTC). Default: no end."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="What you call it, instead of the file's name. Stays on this device."),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            "--url",
            help="Web address where the picture stands, so that lists of addresses are covered "
            "too. With one picture, or with none. May be repeated.",
        ),
    ] = None,
    face: Annotated[
        bool,
        typer.Option(
            "--face",
            help="Register the face in it too (biometric data): other photographs of that person "
            "are then left out as well, where builders look for people. With several faces you "
            "are asked which one. Needs consent-client[face].",
        ),
    ] = False,
    face_number: Annotated[
        int | None,
        typer.Option(
            min=1, help="Which face, the largest being 1; as --face. Goes with one picture."
        ),
    ] = None,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread",
            help="Send each record at a random time within the next hours, so that somebody who "
            "watches the public log can not tell by time that they belong together. Everything is "
            "saved first; the command waits, and --resume goes on if it is interrupted.",
        ),
    ] = False,
    spread_hours: Annotated[
        float, typer.Option(min=0.001, help="How long --spread takes.")
    ] = SPREAD_HOURS,
    resume: Annotated[
        bool, typer.Option("--resume", help="Send what is saved and not sent, and end.")
    ] = False,
    leave_out: Annotated[
        bool | None,
        typer.Option(
            "--leave-out/--all-or-nothing",
            help="Where one kind of fingerprint resembles so many other pictures that the registry "
            "does not take it: register the others all the same, or nothing. Default: you are "
            "asked; without a terminal, the others.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME=FILE", help="A model file: sscd, or a space of your own."
        ),
    ] = None,
) -> None:
    """State that pictures must not be used for AI training, or only so far as you say.

    Fingerprints are computed here and sealed to the registry; the picture, its name and yours stay
    here. Those who build data sets and ask this registry are then told to leave it out. Nobody can
    make a model that is already trained forget it.
    """
    paths = images or []
    addresses = url or []
    if resume and (paths or addresses):
        usage("--resume takes no pictures")
    if not (resume or paths or addresses):
        usage("name at least one picture, or --resume")
    if addresses and (len(paths) > 1 or any(path.is_dir() for path in paths)):
        usage("--url goes with one picture, or with none")
    if label is not None and (len(paths) > 1 or any(path.is_dir() for path in paths)):
        usage("--label goes with one picture")
    if len(addresses) > MAX_FINGERPRINTS:
        usage(f"at most {MAX_FINGERPRINTS} addresses")
    face = check_face_options(
        face=face,
        number=face_number,
        basis=basis,
        pictures=len(paths),
        folders=any(path.is_dir() for path in paths),
    )
    statement = statement_of(use or [], basis, given_for, until.date() if until else None)
    files = model_files(model or [])
    state = common.state()
    with (
        _work_shown() as show_work,
        Registrant(
            common.address(state),
            state=state,
            registry_key=common.registry_key,
            insecure_http=common.insecure_http,
            on_wait=common.on_wait,
            on_work=show_work,
        ) as registrant,
    ):
        work = _Work(common, registrant, leave_out)
        made_phrase = _greet(common, registrant, resume=resume)
        if face:
            common.note(WHAT_IT_MEANS)
        wanted = _Wanted(files, face=face, face_number=face_number)
        prepared = _prepared(work, paths, addresses, label, wanted)
        if spread:
            _save_spread(work, list(prepared), statement, spread_hours)
        else:
            _send_due(work, time.time())
            for name, fingerprints in prepared:
                _send_now(work, name, fingerprints, statement)
        if spread or resume:
            _send_all(work)
        _report(work, statement, made_phrase=made_phrase)


def _greet(common: Common, registrant: Registrant, *, resume: bool) -> bool:
    meeting = registrant.meet()
    if meeting.first_time:
        common.note(
            f"First use of the registry {meeting.info.origin}. Its key is trusted from now on; "
            f"compare it with what its operator publishes: {meeting.pinned.verifier_key}"
        )
    made = False if resume else registrant.ensure_phrase()
    if made:
        common.note(
            f"A recovery phrase was made and saved in {registrant.state.phrase_file}. See it with: "
            f"consent phrase show. {LOSING_IT}"
        )
    return made


def _prepared(
    work: _Work,
    paths: Sequence[Path],
    addresses: Sequence[str],
    label: str | None,
    wanted: _Wanted,
) -> Iterator[Prepared]:
    """Label and fingerprints of each picture; what can not be read is passed over."""
    of_addresses = _of_addresses(addresses)
    known = work.registrant.meet().info.spaces
    if not paths:
        if of_addresses:
            yield label or addresses[0], of_addresses
        return
    fingerprint = _fingerprinter(work, wanted, known)
    for path in _pictures(work, paths):
        try:
            found = fingerprint(path)
        except ConsentError as error:
            if isinstance(error, MissingModel):
                raise
            work.fail(str(path), error)
            continue
        yield label or shown_key(path.name), {**found, **of_addresses}


def _of_addresses(addresses: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    from consent_client.fingerprints.url import url_fingerprint  # noqa: PLC0415 (with images only)

    if not addresses:
        return {}
    return {_URL: tuple(dict.fromkeys(map(url_fingerprint, addresses)))}


def _fingerprinter(
    work: _Work, wanted: _Wanted, known: Sequence[str]
) -> Callable[[Path], dict[str, tuple[bytes, ...]]]:
    from consent_client.fingerprints.images import (  # noqa: PLC0415 (needs an extra)
        available_spaces,
        load_models,
        registration_fingerprints,
    )

    computable = computable_spaces(available_spaces(), wanted.files)
    if _SSCD not in computable:
        work.common.note(WITHOUT_SSCD)
    spaces = [name for name in computable if name in known]
    if wanted.face and FACE_SPACE not in known:
        usage("this registry does not look for people; leave --face out")
    if wanted.face:
        spaces.append(FACE_SPACE)
    models = load_models(spaces, wanted.files)

    def made(path: Path, number: int | None) -> dict[str, tuple[bytes, ...]]:
        found = registration_fingerprints(path, spaces, models=models, face_number=number)
        for name, why in found.missing.items():
            work.common.note(f"{path}: no {name} fingerprint, the picture is {why.value}")
        return dict(found.fingerprints)

    def fingerprint(path: Path) -> dict[str, tuple[bytes, ...]]:
        return with_chosen_face(work.common, path, wanted.face_number, partial(made, path))

    return fingerprint


def _pictures(work: _Work, paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        try:
            found = list(pictures_below(path))
        except ConsentError as error:
            work.fail(str(path), error)
            continue
        if not found:
            work.fail(str(path), UnreadableImage(f"there is no picture in {path}", str(path)))
        yield from found


def _send_now(work: _Work, name: str, fingerprints: Fingerprints, statement: Statement) -> None:
    try:
        record = work.registrant.save(fingerprints, statement, label=name)
        work.records[record.index] = record
    except ConsentError as error:
        work.fail(name, error)
        return
    if record.stage is Stage.REGISTERED:
        work.common.say(f"{name_of(record)}: was protected already")
    elif not work.stopped:  # else it is saved, and sent by --resume
        _send(work, record)


def _send(work: _Work, record: SavedRecord) -> None:
    """Sends a saved record; where the registry can not be reached, the rest waits too."""
    try:
        sent = _sent(work, record)
    except ConsentError as error:
        work.fail(name_of(record), error)
        work.stopped = work.stopped or may_pass(error)
        return
    work.records.pop(record.index, None)
    work.records[sent.index] = sent
    work.common.say(f"{name_of(sent)}: {state_of(sent)}, entry {sent.register_index}")
    limits = limits_of(sent)
    if limits:
        work.common.note(f"{name_of(sent)}: {limits}")


def _sent(work: _Work, record: SavedRecord) -> SavedRecord:
    """Sends a record, without the spaces that say too little of it, if the person agrees."""
    try:
        return work.registrant.send(record)
    except RegistryProblem as problem:
        if problem.problem_code != TOO_GENERIC or not problem.spaces:
            raise
        finds = "; ".join(SPACES[name].finds for name in problem.spaces if name in SPACES)
        work.common.note(
            f"{name_of(record)}: the registry did not take it as it is. Its fingerprint for "
            f"{', '.join(problem.spaces)} ({finds}) resembles so many other pictures that it "
            "would stand for those as well. Nothing was stored."
        )
        if not _agreed(work):
            work.registrant.withdraw(record)
            raise
        return work.registrant.send(work.registrant.leave_out(record, problem.spaces))


def _agreed(work: _Work) -> bool:
    """Whether to register what is left: as it was said, or asked, or else yes, as it only adds."""
    if work.leave_out is not None:
        return work.leave_out
    if work.common.as_json or not sys.stdin.isatty():
        return True
    return typer.confirm(
        "Register it without that? It then protects less, and better than nothing.",
        default=True,
        err=True,
    )


def _send_due(work: _Work, now: float) -> None:
    """Sends what an earlier run left, as far as its time has come; what was taken back, first."""
    for record in work.registrant.withdrawing():
        try:
            work.registrant.withdraw(record)
        except ConsentError as error:
            work.fail(name_of(record), error)
    for record in work.registrant.pending():
        if record.send_after <= now and not work.stopped:
            work.records[record.index] = record
            _send(work, record)


def _save_spread(work: _Work, prepared: list[Prepared], statement: Statement, hours: float) -> None:
    """Saves all records, in random order, for random times that ascend with their numbers.

    So numbers go into the log nearly in order, and recovery, which gives up after some numbers in a
    row are missing, finds all that were sent.
    """
    random = secrets.SystemRandom()
    random.shuffle(prepared)
    begin = time.time()
    times = sorted(begin + random.uniform(0, hours * _SECONDS_PER_HOUR) for _ in prepared)
    for (name, fingerprints), send_after in zip(prepared, times, strict=True):
        try:
            record = work.registrant.save(
                fingerprints, statement, label=name, send_after=send_after
            )
        except ConsentError as error:
            work.fail(name, error)
            continue
        work.records[record.index] = record
        if record.stage is Stage.REGISTERED:
            work.common.say(f"{name_of(record)}: was protected already")
    work.common.note(
        f"{len(times)} saved; they are sent one by one over the next {hours:g} hours. You may "
        "interrupt this: consent protect --resume goes on."
    )


def _send_all(work: _Work) -> None:
    """Sends everything that is saved, each at its time."""
    failed: set[int] = set()
    while not work.stopped:
        waiting = [each for each in work.registrant.pending() if each.index not in failed]
        if not waiting:
            return
        first = waiting[0]
        nap = first.send_after - time.time()
        if nap > 0:
            time.sleep(min(nap, _NAP_SECONDS))
            continue
        work.records[first.index] = first
        before = len(work.failed)
        _send(work, first)
        if len(work.failed) > before:
            failed.add(first.index)


def _report(work: _Work, statement: Statement, *, made_phrase: bool) -> None:
    kept = work.registrant.state.records(work.registrant.origin)
    records = [each for each in kept if each.index in work.records]
    waiting = [each for each in records if each.unanswered]
    done = [each for each in records if each.stage is Stage.REGISTERED]
    if work.common.as_json:
        print_json(
            {
                "registry": work.registrant.origin,
                "phraseCreated": made_phrase,
                "phraseFile": str(work.registrant.state.phrase_file),
                "records": [record_json(each) for each in records],
                "failed": [error_json(error) for error in work.failed],
                "waiting": len(waiting),
            }
        )
    elif done:
        work.common.say(
            f"{len(done)} protected at {work.registrant.origin}: {said(statement)}. Builders "
            "who ask this registry are told so from now on."
        )
    if waiting:
        work.common.note(f"{len(waiting)} saved and not sent: consent protect --resume sends them.")
    if work.failed or waiting:
        raise typer.Exit(EXIT_INCOMPLETE)


class _work_shown:  # noqa: N801 (used like a function)
    """A spinner while a proof of work is solved, on a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        task = self._progress.add_task("", visible=False)

        def show(attempts: int) -> None:
            self._progress.update(
                task, description=f"proof of work: {attempts} attempts", visible=True
            )

        return show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
