"""How statements are written on the command line, and read back to people."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from consent_client.cli.common import usage
from consent_client.errors import BadStatement
from consent_client.protocol.statements import Basis, Purpose, Stance, Statement, Use

EPOCH: Final = dt.date(1970, 1, 1)

USES: Final = ", ".join(use.cawg for use in Use)
BASES: Final = {_.name.lower().replace("_", "-"): _ for _ in Basis}
PURPOSES: Final = {_.name.lower().replace("_", "-"): _ for _ in Purpose if _ is not Purpose.UNSAID}


def statement_of(
    uses: Sequence[str], basis: str, given_for: str | None, until: dt.date | None
) -> Statement:
    """The statement that the options of `consent protect` spell."""
    stances = dict.fromkeys(Use, Stance.NOT_ALLOWED)
    for written in uses:
        name, _, stance = written.partition("=")
        try:
            stances[Use.from_cawg(name)] = Stance.from_text(stance)
        except BadStatement:
            usage(f"--use {written}: write one of {USES}, then = and allowed, notAllowed or unsaid")
    if not any(stances.values()):
        usage("a statement says something about at least one use")
    if basis not in BASES:
        usage(f"--basis is one of {', '.join(BASES)}")
    if given_for is not None and given_for not in PURPOSES:
        usage(f"--given-for is one of {', '.join(PURPOSES)}")
    return Statement.of(
        stances,
        BASES[basis],
        Purpose.UNSAID if given_for is None else PURPOSES[given_for],
        0 if until is None else day_number(until),
    )


def day_number(date: dt.date) -> int:
    """UTC day number of a date that is not behind."""
    if date < dt.datetime.now(dt.UTC).date():
        usage("--until is a day that has passed")
    return (date - EPOCH).days


def said(statement: Statement | None) -> str:
    """A statement in a few words."""
    if statement is None:
        return "unreadable now"
    by_stance = {
        stance: [use.cawg for use in Use if statement.stance(use) is stance]
        for stance in (Stance.NOT_ALLOWED, Stance.ALLOWED)
    }
    parts = [
        f"{'everything' if len(uses) == len(Use) else ', '.join(uses)} {stance.text}"
        for stance, uses in by_stance.items()
        if uses
    ]
    if statement.valid_until:
        parts.append(f"until {until_text(statement)}")
    return "; ".join(parts)


def until_text(statement: Statement) -> str | None:
    """The last day, as a date; None where there is no end."""
    if not statement.valid_until:
        return None
    try:
        return (EPOCH + dt.timedelta(days=statement.valid_until)).isoformat()
    except OverflowError:
        return f"day {statement.valid_until}"
