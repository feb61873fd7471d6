"""What the commands of data set builders share."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from consent_client.cli.common import usage
from consent_client.cli.words import USES
from consent_client.errors import BadStatement, StateError
from consent_client.protocol.statements import Use
from consent_client.transport import Patience

TOKEN_VARIABLE: Final = "CONSENT_TOKEN"  # noqa: S105 (the name of a variable)

PATIENCE: Final = Patience(tries=8, throttled_seconds=26 * 3600.0)
"""Runs of days outlive a restart of the registry, and wait for the next day's quota."""

_MAX_TOKEN_FILE = 4_096

TokenFileOption = Annotated[
    Path | None,
    typer.Option(help=f"File with the builder's token. Default: {TOKEN_VARIABLE} is used."),
]


def chosen_use(name: str) -> Use:
    """The use of this name."""
    try:
        return Use.from_cawg(name)
    except BadStatement:
        usage(f"--use is one of {USES}")


def chosen_spaces(option: str, text: str | None) -> tuple[str, ...] | None:
    """The spaces in a comma list; None where the option was not given."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        usage(f"{option} names at least one space")
    return names


def given_token(file: Path | None) -> str:
    """The builder's token, from a file or the environment; arguments would be seen by everyone."""
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "")
        if not token:
            usage(f"a builder's token is needed: --token-file FILE, or {TOKEN_VARIABLE}")
        return token
    try:
        with file.open() as opened:
            return opened.read(_MAX_TOKEN_FILE)
    except (OSError, UnicodeDecodeError):
        pass
    raise StateError(f"the token file {file} can not be read", str(file))
