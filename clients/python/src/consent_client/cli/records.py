"""`consent status`, `consent withdraw`, `consent recover`: what has become of one's records."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from consent_client.addresses import registry_address
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    Common,
    err,
    error_json,
    out,
    print_json,
    shown,
    usage,
    with_common,
)
from consent_client.cli.phrase import LOSING_IT
from consent_client.cli.record_texts import found_of, name_of, record_json, state_of
from consent_client.cli.words import said
from consent_client.errors import ConsentError, LogShortened, RecordsLost, StateError
from consent_client.protocol.keys import seed_of
from consent_client.registrant import Registrant
from consent_client.saved_records import SavedRecord, Stage
from consent_client.state import State
from consent_client.withdrawals import MAX_CHARACTERS, SignedWithdrawal, sign_withdrawal

_MAX_PHRASE_FILE = 4_096
_STANDARD_INPUT: Final = "-"


def registrant_of(common: Common, state: State) -> Registrant:
    """The person, at the registry that is meant."""
    return Registrant(
        common.address(state),
        state=state,
        registry_key=common.registry_key,
        insecure_http=common.insecure_http,
        on_wait=common.on_wait,
    )


@with_common
def status(
    common: Common,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Also read each record back from the registry and compare. It then sees from one "
            "address which records belong together.",
        ),
    ] = False,
) -> None:
    """Show your records and what became of them.

    Read from the public log, so that the registry does not learn which records belong together.
    """
    state = common.state()
    failed: list[ConsentError] = []
    with registrant_of(common, state) as registrant:
        try:
            records = registrant.follow()
        except (LogShortened, RecordsLost) as error:
            failed.append(error)
            common.note(str(error))
            records = state.records(registrant.origin)
        if check:
            for record in records:
                if record.stage is Stage.REGISTERED:
                    try:
                        registrant.check(record)
                    except ConsentError as error:
                        failed.append(error)
                        common.note(f"{name_of(record)}: {error}")
        origin = registrant.origin
    if common.as_json:
        print_json(
            {
                "registry": origin,
                "records": [record_json(record) for record in records],
                "failed": [error_json(error) for error in failed],
            }
        )
    elif not records:
        common.say(f"You have no records at {origin} on this device.")
    else:
        out.print(_table(records))
        if check and not failed:
            common.say("All were read back and are what you stated.")
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _table(records: Sequence[SavedRecord]) -> Table:
    table = Table("#", "label", "state", "stated", "found are", "entry")
    for record in records:
        entry = "" if record.register_index is None else str(record.register_index)
        table.add_row(
            str(record.index),
            shown(record.label),
            state_of(record),
            said(record.statement),
            found_of(record),
            entry,
        )
    return table


@with_common
def withdraw(
    common: Common,
    records: Annotated[
        list[str] | None,
        typer.Argument(help="Labels (file names) or numbers (#3), as `consent status` shows."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All your active records.")] = False,
    only_print: Annotated[
        bool,
        typer.Option(
            "--print",
            help="Send nothing; print the signed withdrawal. Kept on paper or in a file, it "
            "withdraws at any time, without the phrase: see --from.",
        ),
    ] = False,
    kept: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Send a withdrawal printed before."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask back.")] = False,
) -> None:
    """Take records back: from then on they exclude nothing, and they become unreadable.

    Data sets that were built meanwhile stay as they are. It can not be undone; to state it again,
    protect the picture again.
    """
    state = common.state()
    if only_print:
        chosen = _chosen(records_kept(common, state), records or [], everything=everything)
        _print_signed(common, [(each, sign_withdrawal(state, each)) for each in chosen])
        return
    with registrant_of(common, state) as registrant:
        if kept is not None:
            _send_kept(common, registrant, kept)
            return
        chosen = _chosen(state.records(registrant.origin), records or [], everything=everything)
        if not (yes or common.as_json) and sys.stdin.isatty():
            names = ", ".join(map(name_of, chosen))
            typer.confirm(f"Withdraw {names}? It can not be undone.", abort=True, err=True)
        ended: list[SavedRecord] = []
        failed: list[ConsentError] = []
        for record in chosen:
            try:
                done = registrant.withdraw(record)
            except ConsentError as error:
                failed.append(error)
                common.note(f"{name_of(record)}: {error}")
                continue
            ended.append(done)
            common.say(f"{name_of(done)}: {state_of(done)}")
    if common.as_json:
        print_json(
            {
                "registry": registrant.origin,
                "records": [record_json(record) for record in ended],
                "failed": [error_json(error) for error in failed],
            }
        )
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def records_kept(common: Common, state: State) -> list[SavedRecord]:
    """The records at the registry that is meant, without asking it."""
    address = registry_address(common.address(state), insecure_http=True)
    origins = [each.origin for each in state.registries() if address in each.addresses]
    return [record for origin in origins for record in state.records(origin)]


def _still_there(records: Sequence[SavedRecord]) -> list[SavedRecord]:
    return [each for each in records if each.active or each.stage is Stage.WITHDRAWING]


def _chosen(
    records: Sequence[SavedRecord], names: Sequence[str], *, everything: bool
) -> list[SavedRecord]:
    active = _still_there(records)
    if everything == bool(names):
        usage("name records, or --all, or --from FILE")
    if everything:
        if not active:
            usage("you have no active records here")
        return active
    return [named(records, name) for name in names]


def named(records: Sequence[SavedRecord], name: str) -> SavedRecord:
    """The record of this label or number; a usage error where there is none, or several.

    An active record, or one that is being taken back, goes before others of its label.
    """
    number = name.removeprefix("#")
    if name.startswith("#") and number.isascii() and number.isdigit():
        found = [record for record in records if record.index == int(number)]
    else:
        found = [record for record in _still_there(records) if record.label == name]
        found = found or [record for record in records if record.label == name]
    if not found:
        usage(f"you have no record {name!r} here; see: consent status")
    if len(found) > 1:
        numbers = ", ".join(f"#{record.index}" for record in found)
        usage(f"several records are called {name!r}: {numbers}; name their numbers")
    return found[0]


def _send_kept(common: Common, registrant: Registrant, file: Path) -> None:
    try:
        text = file.read_text()[:MAX_CHARACTERS]
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise StateError(f"{file} can not be read", str(file))
    ended = registrant.send_withdrawal(SignedWithdrawal.from_text(text))
    if common.as_json:
        print_json({"registry": registrant.origin, "status": ended.value})
    else:
        common.say(f"The record is {ended.value.lower()}.")


def _print_signed(common: Common, signed: list[tuple[SavedRecord, SignedWithdrawal]]) -> None:
    if common.as_json:
        print_json(
            {
                "withdrawals": [
                    {"number": record.index, "label": record.label, "text": each.to_text()}
                    for record, each in signed
                ]
            }
        )
        return
    for record, each in signed:
        common.say(f"Withdraws {name_of(record)} when sent: consent withdraw --from THIS-FILE")
        common.say("Whoever has it can withdraw this one record, and nothing else.")
        common.say(each.to_text())


@with_common
def recover(
    common: Common,
    phrase_file: Annotated[
        Path | None,
        typer.Option(help="File with the 12 words, - for standard input. Default: you are asked."),
    ] = None,
) -> None:
    """Find your records with the recovery phrase, on another device or after losing the state.

    Downloads the whole log and looks for your records here; then reads them one by one. Names of
    files are not in it: the records come back without labels.
    """
    state = common.state()
    with state.locked():
        if not state.has_phrase():
            state.create_phrase(_asked_phrase(phrase_file))
        elif phrase_file is not None and seed_of(_asked_phrase(phrase_file)) != state.seed():
            raise StateError(
                f"{state.phrase_file} holds another phrase; recover into another --state folder",
                str(state.phrase_file),
            )
    with registrant_of(common, state) as registrant:
        found = registrant.recover()
        origin = registrant.origin
    if common.as_json:
        print_json({"registry": origin, "records": [record_json(record) for record in found]})
        return
    if not found:
        common.say(f"No record of this phrase is in the log of {origin}.")
        return
    out.print(_table(found))
    common.note(LOSING_IT)


def _asked_phrase(file: Path | None) -> str:
    if file is None and sys.stdin.isatty():
        return str(typer.prompt("Recovery phrase, 12 words", hide_input=True, err=True))
    if file is None or str(file) == _STANDARD_INPUT:
        return sys.stdin.read(_MAX_PHRASE_FILE)
    try:
        with file.open() as opened:
            return opened.read(_MAX_PHRASE_FILE)
    except (OSError, UnicodeDecodeError):
        err.print(f"{file} can not be read")
    raise StateError(f"{file} can not be read", str(file))
