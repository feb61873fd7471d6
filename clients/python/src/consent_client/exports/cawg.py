"""A statement as a CAWG training and data mining assertion, for a C2PA manifest.

Source: CAWG Training and Data Mining Assertion 1.1, the label `cawg.training-mining` and its four
entries. Statements use the same four names, so that nothing is lost: what is unsaid has no entry.
`constrained` is never written: a statement has no such stance.
"""

from typing import Final

from consent_client.protocol.statements import Stance, Statement, Use

LABEL: Final = "cawg.training-mining"


def assertion(statement: Statement) -> dict[str, object]:
    """The assertion as manifest definitions have it: `{"label": …, "data": {"entries": …}}`.

    A statement says something about at least one use, so there is at least one entry.
    """
    entries = {
        f"cawg.{use.cawg}": {"use": statement.stance(use).text}
        for use in Use
        if statement.stance(use) is not Stance.UNSAID
    }
    return {"label": LABEL, "data": {"entries": entries}}
