"""`consent receipt`: the proof that a record is in the registry's log."""

from pathlib import Path
from typing import Annotated

import typer

from consent_client.cli.common import Common, print_json, with_common
from consent_client.cli.record_texts import name_of
from consent_client.cli.records import named, registrant_of
from consent_client.private_files import write_private
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.notes import split_note

_WHAT_IT_SAYS = (
    "It shows that this was stated about this picture by the time the log had {size} entries, and "
    "goes on to show it if the registry disappears. It does not show that nobody withdrew it "
    "since. Anyone can check it: consent audit receipt FILE. It holds what lets others test "
    "whether a picture is this one, so show it to those you trust with that."
)


@with_common
def receipt(
    common: Common,
    record: Annotated[str, typer.Argument(help="Label (file name) or number (#3).")],
    *,
    target: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it here, for your eyes only (0600)."),
    ] = None,
) -> None:
    """Show or write the receipt of a record: the proof that the registry took it in."""
    state = common.state()
    with registrant_of(common, state) as registrant:
        found = named(state.records(registrant.origin), record)
        text = registrant.receipt(found)
    size = Checkpoint.parse(split_note(text.proof.checkpoint)[0]).size
    if target is not None:
        write_private(target, text.encode().encode())
    if common.as_json:
        print_json({"number": found.index, "logSize": size, "receipt": text.encode()})
        return
    if target is None:
        common.say(text.encode())
    else:
        common.say(f"{name_of(found)}: receipt for entry {text.proof.index} in {target}")
    common.note(_WHAT_IT_SAYS.format(size=size))
