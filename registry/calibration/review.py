"""The list of hits that the operator fills in, and what was filled in."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from registry.calibration.matching import Hit
from registry.errors import InvalidInput

REVIEW_NAME: Final = "review.csv"
COLUMNS: Final = ("hit", "group", "image", "found_by", "judgement")

MAX_REVIEW_BYTES: Final = 1 << 26
"""64 MiB: half a million hits, more than anybody looks at."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CERTAIN = frozenset({"sha256", "url-1"})


class Judgement(StrEnum):
    """What an operator says of a hit."""

    COPY = "copy"
    """The record may well be of this picture: the exclusion is right."""
    DIFFERENT = "different"
    """It can not be: a false hit."""
    UNSURE = "unsure"
    """Nothing to be seen either way."""


def groups_of(hits: Sequence[Hit]) -> Mapping[int, int]:
    """Record → number of its group on the sheet, from 1, those with most hits first.

    The sheet and the list name groups and no records: who helps to review learns no entry of the
    log.
    """
    counts: dict[int, int] = {}
    for hit in hits:
        counts[hit.record] = counts.get(hit.record, 0) + 1
    ordered = sorted(counts, key=lambda record: (-counts[record], record))
    return {record: number for number, record in enumerate(ordered, 1)}


def found_by(hit: Hit) -> tuple[str, ...]:
    """Spaces in which an image and a record match under any policy, ascending."""
    return tuple(sorted({name for spaces in hit.spaces.values() for name in spaces}))


def review_text(hits: Sequence[Hit], keys: Mapping[int, str]) -> str:
    """The list to fill in: CSV, hits numbered from 1 in the order given.

    The same file or address is a copy for certain and is filled in.

    Args:
        hits: all of them.
        keys: row → the image's name.
    """
    groups = groups_of(hits)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for number, hit in enumerate(hits, 1):
        spaces = found_by(hit)
        certain = Judgement.COPY.value if _CERTAIN & set(spaces) else ""
        name = _cell(keys[hit.row])
        writer.writerow((number, groups[hit.record], name, " ".join(spaces), certain))
    return buffer.getvalue()


def read_review(path: Path, hits: Sequence[Hit]) -> list[Judgement]:
    """What was filled in, one for each hit.

    Raises:
        InvalidInput: not such a list, a hit missing, named twice or not judged: it says which line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_REVIEW_BYTES + 1)
    except OSError as error:
        message = f"{path} can not be read: {error.strerror}."
        raise InvalidInput(message) from None
    if len(data) > MAX_REVIEW_BYTES:
        message = f"{path} is longer than any review."
        raise InvalidInput(message)
    try:
        text = data.decode("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (ValueError, csv.Error):
        message = f"{path} is no CSV file in UTF-8."
        raise InvalidInput(message) from None
    if not rows or tuple(rows[0]) != COLUMNS:
        message = f"{path} does not begin with {','.join(COLUMNS)}."
        raise InvalidInput(message)
    return _judgements(path, rows[1:], hits)


def _judgements(path: Path, rows: Iterable[Sequence[str]], hits: Sequence[Hit]) -> list[Judgement]:
    judged: dict[int, Judgement] = {}
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        number, judgement = _read(row)
        if number is None or not 1 <= number <= len(hits) or number in judged:
            message = f"{path}, row {line}: no hit of this calibration, or named twice."
            raise InvalidInput(message)
        if judgement is None:
            known = ", ".join(Judgement)
            message = f"{path}, row {line}: the judgement of hit {number} is none of {known}."
            raise InvalidInput(message)
        judged[number] = judgement
    if len(judged) != len(hits):
        message = f"{path}: {len(hits) - len(judged)} of {len(hits)} hits are missing."
        raise InvalidInput(message)
    return [judged[number] for number in range(1, len(hits) + 1)]


def _read(row: Sequence[str]) -> tuple[int | None, Judgement | None]:
    if len(row) != len(COLUMNS):
        return None, None
    number = row[0].strip()
    judgement = row[-1].strip().lower()
    return (
        int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None,  # noqa: PLR2004 (digits of any list that can be read)
        Judgement(judgement) if judgement in set(Judgement) else None,
    )


def _cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
