"""A record for people, and for programs."""

from consent_client.cli.words import until_text
from consent_client.operations import RecordStatus
from consent_client.protocol.statements import Use
from consent_client.saved_records import SavedRecord, Stage

_STAGES = {
    Stage.WAITING: "not sent yet",
    Stage.SENT: "sent, not answered yet",
    Stage.DROPPED: "given up before it was registered",
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
        "sendAfter": record.send_after or None,
        "uses": None
        if statement is None
        else {use.cawg: statement.stance(use).text for use in Use},
        "basis": None if statement is None else statement.basis.name,
        "givenFor": None if statement is None else statement.given_for.term or None,
        "until": None if statement is None else until_text(statement),
    }
