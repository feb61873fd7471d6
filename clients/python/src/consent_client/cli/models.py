"""Model files and missing models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from consent_client.cli.common import usage
from consent_client.protocol.spaces import OWN_SPACES

_MODELS: Final = {"sscd": "sscd-1", "sscd-1": "sscd-1", **{name: name for name in OWN_SPACES}}

WITHOUT_SSCD: Final = (
    "sscd-1 is not installed: crops, bars, captions and screenshots of an image will mostly be "
    "missed; the same file and light edits are still found. To install it: "
    "pip install 'consent-client[sscd]', or name a model file with --model sscd=FILE."
)


def model_files(options: Sequence[str]) -> dict[str, Path]:
    """Space id → file, from `--model sscd=FILE` or `--model ID=FILE` of a space of one's own."""
    files = {}
    for option in options:
        name, _, file = option.partition("=")
        if name not in _MODELS or not file:
            known = ", ".join(("sscd", *OWN_SPACES))
            usage(f"--model {option}: write NAME=FILE, with a name of {known}")
        files[_MODELS[name]] = Path(file)
    return files


def computable_spaces(available: Sequence[str], files: dict[str, Path]) -> tuple[str, ...]:
    """The spaces of pictures that can be computed here, ascending."""
    return tuple(sorted({*available, *files}))
