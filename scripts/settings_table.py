"""Writes the table of settings into docs/operating.md, from `registry.settings` itself.

With `--check` it compares instead, and exits 1 where the table is out of date.
"""

import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from registry.settings import Settings

GUIDE = Path(__file__).parent.parent / "docs" / "operating.md"
BEGIN = "<!-- settings: made by `make settings` from registry/settings.py -->\n"
END = "<!-- end of settings -->\n"


def default(field: FieldInfo) -> str:
    """The default in words that do not depend on this machine."""
    if field.default is PydanticUndefined:
        return "the user's data folder"
    if field.default in ("", (), Path()):
        return "empty"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def table() -> str:
    """A Markdown table, a row per setting."""
    prefix = Settings.model_config.get("env_prefix", "")
    rows = [
        f"| `{prefix}{name.upper()}` | {default(field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return "".join(("| variable | default | what for |\n", "|---|---|---|\n", *rows))


def main() -> None:
    """Writes or, with `--check`, compares."""
    text = GUIDE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + table() + END + after
    if "--check" not in sys.argv[1:]:
        GUIDE.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit("The settings in docs/operating.md are out of date: run `make settings`.")


if __name__ == "__main__":
    main()
