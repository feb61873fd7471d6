"""The command `consent`: `main` runs it."""

import sys

from consent_client.errors import BadSpaceFile

try:
    from consent_client.cli.app import main
except BadSpaceFile as error:  # spaces are read as the modules are, before there is a command
    sys.stderr.write(f"CONSENT_SPACES: {error}\n")
    raise SystemExit(2) from None

__all__ = ["main"]
