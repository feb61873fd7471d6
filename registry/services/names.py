"""Names that people give: to a builder, to a data set."""

import unicodedata

# Control characters would end up in an operator's terminal, and PostgreSQL takes no zero byte.
# Lone surrogates, which JSON can carry, are no text: no database takes them.
_UNWANTED = frozenset({"Cc", "Cs"})


def plain(name: str, longest: int) -> bool:
    """Whether a name has 1 to `longest` characters, no control ones, and is not blank."""
    return (
        len(name) <= longest
        and bool(name.strip())
        and not any(unicodedata.category(character) in _UNWANTED for character in name)
    )
