"""Other people's indexes, as far as they are installed: `make build/peers/.complete` does it."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

_FOLDER = Path(__file__).parent.parent / "build" / "peers"

HOW = "not installed (scripts/make-peers)"
"""What a table says of one that is missing."""


def module(name: str) -> ModuleType | None:
    """A module of a peer, or None where it is not installed.

    The folder comes last on the path: what .venv has is used by both.
    """
    if str(_FOLDER) not in sys.path:
        sys.path.append(str(_FOLDER))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
