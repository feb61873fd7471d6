"""What sites said about training, where a list of addresses has it in columns.

Nothing is fetched here. A downloader that asked sites writes down what they answered, and it is
honoured beside what the registry says: a row whose site reserves its rights is excluded.

| said by | taken as a refusal |
|---|---|
| `X-Robots-Tag` | `noai`, `noimageai`, `noindex`, `noimageindex` or `none`, for whomever |
| TDMRep (`tdm-reservation`) | 1, "1" or true |
| ai.txt, robots.txt | false of "is it allowed?"; `disallow`, `disallowed`, `notAllowed` |
"""

import re
from collections.abc import Mapping
from typing import Final

KNOWN_COLUMNS: Final = (
    "x_robots_tag",
    "x-robots-tag",
    "tdm_reservation",
    "tdm-reservation",
    "tdmrep",
    "ai_txt",
    "ai_txt_allowed",
    "ai.txt",
)
"""Columns, in lower case, that are read where a table has them."""

_DIRECTIVES: Final = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_WORDS: Final = frozenset({"disallow", "disallowed", "notallowed", "deny", "denied", "n", "no"})
_SEPARATORS: Final = re.compile(r"[\s,;:]+")
_RESERVED: Final = re.compile(r"tdm.?(rep|reservation)")
_ALLOWED: Final = re.compile(r"(?<!dis)(?<!not_)allowed$")


def refuses(cells: Mapping[str, object]) -> bool:
    """Whether any of a row's columns holds a refusal.

    Args:
        cells: column → what it holds; nothing where nothing was said.
    """
    return any(_refusal(column.lower(), value) for column, value in cells.items())


def _refusal(column: str, value: object) -> bool:
    if value is None or value == "":
        return False
    if isinstance(value, list | tuple):
        return any(_refusal(column, each) for each in value)
    if isinstance(value, bytes):
        return _refusal(column, value.decode(errors="replace"))
    if isinstance(value, str):
        return _said(column, value.strip().lower())
    if isinstance(value, bool | int | float):
        # "tdm_reservation" and "opted_out" are refusals where true; "ai_txt_allowed" where false.
        return bool(value) != bool(_ALLOWED.search(column))
    return False


def _said(column: str, text: str) -> bool:
    if text in {"0", "1", "true", "false"}:
        return (text in {"1", "true"}) != bool(_ALLOWED.search(column))
    if _RESERVED.search(column):
        return False
    words = set(_SEPARATORS.split(text))
    return bool(words & _DIRECTIVES or words & _WORDS)
