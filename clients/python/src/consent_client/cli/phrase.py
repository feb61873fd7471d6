"""`consent phrase`: make, show and save the recovery phrase."""

from pathlib import Path
from typing import Annotated

import typer

from consent_client.cli.common import HELP_NAMES, Common, print_json, with_common
from consent_client.private_files import create_private

phrase = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    rich_markup_mode=None,
    help="Your recovery phrase: 12 words that alone can withdraw your records.",
)

LOSING_IT = (
    "Write the 12 words down and keep them where only you find them. Whoever has them can withdraw "
    "your records. If you lose them and this device, nobody can withdraw for you: a record then "
    "ends only on the day given with --until, if one was given."
)


@with_common
def new(common: Common) -> None:
    """Make a phrase; the first `consent protect` does it too."""
    state = common.state()
    with state.locked():
        words = state.create_phrase()
    if common.as_json:
        print_json({"phraseFile": str(state.phrase_file)})
        return
    common.say(words)
    common.note(LOSING_IT)


@with_common
def show(common: Common) -> None:
    """Print the phrase. Mind who is looking."""
    words = common.state().phrase()
    if common.as_json:
        print_json({"phrase": words})
    else:
        common.say(words)


@with_common
def save(
    common: Common,
    file: Annotated[Path, typer.Argument(help="A file that is not there yet; made private.")],
) -> None:
    """Save the phrase as a file, for a safe place."""
    state = common.state()
    create_private(file, f"{state.phrase()}\n".encode())
    if common.as_json:
        print_json({"saved": str(file)})
    else:
        common.say(f"Saved to {file}. Keep it away from this device; others must not see it.")


phrase.command(epilog="Example: consent phrase new")(new)
phrase.command(epilog="Example: consent phrase show")(show)
phrase.command(epilog="Example: consent phrase save /media/stick/phrase.txt")(save)
