"""A statement as an IETF AI usage preference: `train-ai=n`.

Sources: draft-ietf-aipref-vocab (categories, labels, their serialisation as an RFC 9651
dictionary) and draft-ietf-aipref-attach (the `Content-Usage` header field, the rule of that name in
robots.txt). Both are drafts: `train-ai` has kept its name and its meaning, labels for inference
have not.
"""

from typing import Final
from urllib.parse import quote

from consent_client.errors import Malformed, NothingToExport
from consent_client.protocol.statements import Stance, Statement, Use

FIELD: Final = "Content-Usage"
"""Name of the header field and of the rule in robots.txt."""

LABELS: Final = {Use.AI_GENERATIVE_TRAINING: "train-ai"}
"""The category that means the same as a use.

`train-ai` is about models that generate, as `ai_generative_training` is. There is none for training
other models (`ai_training`), none for `data_mining`, and those for using a model (`ai_inference`)
are cut differently from draft to draft. `search` is about something no statement is about.
"""

_PREFERENCES = {Stance.ALLOWED: "y", Stance.NOT_ALLOWED: "n"}

_UNRESERVED_IN_PATHS = "/:@!&'()+,;=~"
"""Kept as they are. `#` ends a rule; `*` and `$` are patterns in RFC 9309; a `?` starts a query."""


def preference(statement: Statement) -> str:
    """The dictionary: `train-ai=n`.

    Raises:
        NothingToExport: no category is about what is stated.
    """
    said = [
        f"{label}={_PREFERENCES[statement.stance(use)]}"
        for use, label in LABELS.items()
        if statement.stance(use) is not Stance.UNSAID
    ]
    if not said:
        raise NothingToExport("AIPREF has no category for what this record states")
    return ", ".join(said)


def header(statement: Statement) -> str:
    """The HTTP header field: `Content-Usage: train-ai=n`.

    Raises:
        NothingToExport: no category is about what is stated.
    """
    return f"{FIELD}: {preference(statement)}"


def robots_rule(statement: Statement, path: str) -> str:
    """The rule for robots.txt: `Content-Usage: /portrait.jpg train-ai=n`.

    Args:
        statement: what is stated.
        path: where the picture stands on the site, not percent-encoded: `/my pictures/1.jpg`. The
            rule covers every address that starts with it.

    Raises:
        NothingToExport: no category is about what is stated.
        Malformed: a path that does not start with a slash, or is not text.
    """
    if not path.startswith("/"):
        raise Malformed("a path on a site starts with a slash")
    try:
        encoded = quote(path, safe=_UNRESERVED_IN_PATHS)
    except UnicodeEncodeError:
        encoded = None
    if encoded is None:
        raise Malformed("a path that is not text")
    return f"{FIELD}: {encoded} {preference(statement)}"
