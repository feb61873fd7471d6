"""A record for people, and for programs."""

from consent_client.cli.words import until_text
from consent_client.operations import RecordStatus
from consent_client.protocol.protection import Reach
from consent_client.protocol.statements import Use
from consent_client.saved_records import SavedRecord, Stage, protection_json

_STAGES = {
    Stage.WAITING: "not sent yet",
    Stage.SENT: "sent, not answered yet",
    Stage.DROPPED: "given up before it was registered",
    Stage.WITHDRAWING: "taken back, not confirmed yet: run consent withdraw again",
    Stage.LOST: "lost by the registry: protect the picture again",
}
_STATUSES = {
    RecordStatus.ACTIVE: "active",
    RecordStatus.WITHDRAWN: "withdrawn",
    RecordStatus.ERASED: "erased by the registry's operator",
    RecordStatus.EXPIRED: "expired",
}


def state_of(record: SavedRecord) -> str:
    """What has become of it, in words."""
    if record.stage is not Stage.REGISTERED:
        return _STAGES[record.stage]
    return _STATUSES[record.status or RecordStatus.ACTIVE]


def found_of(record: SavedRecord) -> str:
    """What is found of the picture while the record is active, in words; empty where not known."""
    if record.protection is None or not record.active or record.stage is not Stage.REGISTERED:
        return ""
    reaches = {each.reach for each in record.protection}
    if Reach.EDITED_COPIES in reaches:
        return "edited copies too"
    if reaches == {Reach.NOT_MEASURED}:
        return "what a model of the operator's finds; not measured here"
    return "near-exact copies only" if reaches else "the very same only"


def limits_of(record: SavedRecord) -> str:
    """What the person should know of a new record's limits; empty where there are no special ones.

    Kind, and no more than is known: a picture that resembles many others is nobody's fault.
    """
    reaches = {each.reach for each in record.protection or ()}
    if record.protection is None or Reach.EDITED_COPIES in reaches:
        return ""
    if not reaches:
        return (
            "Only the very same file, or the very same address, will be found: any change to the "
            "picture makes it another."
        )
    if reaches == {Reach.NOT_MEASURED}:
        return (
            "The very same file, or the very same address, will be found; and what else a model of "
            "this registry's operator finds, which was not measured here."
        )
    if any(each.space == "sscd-1" for each in record.protection):
        return (
            "Only near-exact copies will be found. There are many pictures that look much like "
            "this one (as with pages of text, charts, logos or close-up portraits), so a crop or "
            "an edit of it can not be told from them with certainty."
        )
    return (
        "Only near-exact copies will be found: the same picture in another size or format, or "
        "hardly changed. Crops and larger edits will not."
    )


def name_of(record: SavedRecord) -> str:
    """Number and label."""
    return f"#{record.index} {record.label}".rstrip()


def record_json(record: SavedRecord) -> dict[str, object]:
    """What programs get; no keys, no fingerprints."""
    statement = record.statement
    return {
        "number": record.index,
        "label": record.label,
        "registry": record.origin,
        "stage": record.stage.value,
        "status": record.status.value if record.status else None,
        "active": record.active,
        "registerIndex": record.register_index,
        "terminalIndex": record.terminal_index,
        "protection": protection_json(record.protection),
        "leftOut": list(record.left_out),
        "sendAfter": record.send_after or None,
        "uses": None
        if statement is None
        else {use.cawg: statement.stance(use).text for use in Use},
        "basis": None if statement is None else statement.basis.name,
        "givenFor": None if statement is None else statement.given_for.term or None,
        "until": None if statement is None else until_text(statement),
    }
