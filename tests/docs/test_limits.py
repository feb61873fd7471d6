"""docs/limits.md says what the code does."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROW = re.compile(r"^\| [^|]+ \| ([0-9.]+) \| `([a-z_.0-9]+)\.([A-Z_]+)` \| [^|]+ \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_row_of_a_table_is_compared() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and "`" in line]
    assert len(rows) == len(ROWS)


@pytest.mark.parametrize(("value", "module", "name"), ROWS, ids=[row[2] for row in ROWS])
def test_a_limit_is_what_the_code_says(value: str, module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) == float(value)
