"""`consent export`: what a record states, in the words of others (docs/exports.md)."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from consent_client.cli.common import Common, print_json, usage, with_common
from consent_client.cli.record_texts import name_of, state_of
from consent_client.cli.records import named, records_kept
from consent_client.errors import NothingToExport
from consent_client.exports import aipref, cawg
from consent_client.exports.consent_receipt import Registered, consent_receipt
from consent_client.protocol.statements import today
from consent_client.saved_records import SavedRecord, Stage


class Words(StrEnum):
    """Whose words."""

    AIPREF = "aipref"
    CAWG = "cawg"
    RECEIPT = "27560"


_WHAT_IT_DOES = {
    Words.AIPREF: "It works where you put it: on your own site. It says nothing of copies "
    "elsewhere, of uses other than the training of generative models, or until when it holds.",
    Words.CAWG: "It works inside a picture's signed C2PA manifest, which another tool writes, and "
    "is lost where manifests are. It does not say until when it holds.",
    Words.RECEIPT: "It is a copy for your papers or for other programs; it proves nothing. The "
    "proof that the registry took the statement in is: consent receipt.",
}


@with_common
def export(
    common: Common,
    record: Annotated[str, typer.Argument(help="Label (file name) or number (#3).")],
    *,
    words: Annotated[
        Words,
        typer.Option(
            "--as",
            help="aipref: a line for your web site. cawg: an assertion for a picture's C2PA "
            "manifest. 27560: a consent receipt, JSON-LD.",
        ),
    ],
    path: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="With aipref: where the picture stands on the site, as /portrait.jpg, for a line "
            "of robots.txt. Default: the line for HTTP headers.",
        ),
    ] = None,
) -> None:
    """Print what an active record states in a form that others read.

    Asks nobody: from what this device knows, see consent status.
    """
    if path is not None and words is not Words.AIPREF:
        usage("--path goes with --as aipref")
    found = named(records_kept(common, common.state()), record)
    day = today(time.time())
    registered = _registered(found, day)
    if words is Words.RECEIPT:
        print_json(consent_receipt(registered, day))
    elif words is Words.CAWG:
        print_json(cawg.assertion(registered.statement))
    else:
        _print_aipref(common, registered, path)
    common.note(_WHAT_IT_DOES[words])


def _registered(record: SavedRecord, day: int) -> Registered:
    """The record, while it counts: what was taken back is not to be said elsewhere."""
    statement, index = record.statement, record.register_index
    counts = record.active and record.stage is Stage.REGISTERED
    if statement is None or index is None or not counts:
        raise NothingToExport(f"{name_of(record)} is not active: {state_of(record)}")
    if statement.expired(day):
        raise NothingToExport(f"{name_of(record)} has expired")
    return Registered(record.origin, index, statement)


def _print_aipref(common: Common, record: Registered, path: str | None) -> None:
    if path is None:
        line = aipref.header(record.statement)
    else:
        line = aipref.robots_rule(record.statement, path)
    common.say(line)
    if common.as_json:
        print_json({"preference": aipref.preference(record.statement), "line": line})
