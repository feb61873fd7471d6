import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadStatement
from consent_client.protocol.statements import (
    STATEMENT_BYTES,
    Basis,
    Purpose,
    Stance,
    Statement,
    Use,
    today,
)

DAYS = st.integers(0, 2**32 - 1)
STATEMENTS = st.builds(
    Statement,
    stances=st.tuples(*[st.sampled_from(Stance)] * 4).filter(any),
    basis=st.sampled_from(Basis),
    given_for=st.sampled_from(Purpose),
    valid_until=DAYS,
)


@given(STATEMENTS)
def test_a_statement_reads_back(statement):
    data = statement.encode()
    assert len(data) == STATEMENT_BYTES
    assert Statement.decode(data) == statement


@given(st.binary(max_size=12) | st.binary(max_size=8).map(b"\x01\x01".__add__))
def test_any_bytes_are_a_canonical_statement_or_refused(data):
    try:
        statement = Statement.decode(data)
    except BadStatement:
        return
    assert statement.encode() == data


def test_exactly_eighty_bytes_of_uses_are_statements():
    """3⁴ combinations of unsaid, allowed, notAllowed, less the one that says nothing."""
    accepted = 0
    for uses in range(256):
        try:
            Statement.decode(bytes([1, 1, uses, 1, 0, 0, 0, 0, 0, 0]))
        except BadStatement:
            continue
        accepted += 1
    assert accepted == 80


def test_each_use_has_its_two_bits():
    for use, stance in itertools.product(Use, (Stance.ALLOWED, Stance.NOT_ALLOWED)):
        statement = Statement.of({use: stance})
        assert statement.encode()[2] == stance << 2 * use
        assert [statement.stance(other) for other in Use] == [
            stance if other is use else Stance.UNSAID for other in Use
        ]


@pytest.mark.parametrize(
    "fields",
    [
        {"stances": (Stance.UNSAID,) * 4},
        {"stances": (Stance.ALLOWED,) * 3},
        {"stances": (Stance.ALLOWED,) * 5},
        {"stances": (1, 1, 1, 1)},
        {"stances": (3, 3, 3, 3)},
        {"basis": 1},
        {"basis": 9},
        {"given_for": 1},
        {"valid_until": -1},
        {"valid_until": 2**32},
    ],
)
def test_values_out_of_range_are_no_statement(fields):
    with pytest.raises(BadStatement):
        Statement(**({"stances": (Stance.ALLOWED,) * 4} | fields))


def test_names_of_uses_and_stances_are_those_of_cawg():
    assert [use.cawg for use in Use] == [
        "data_mining",
        "ai_inference",
        "ai_training",
        "ai_generative_training",
    ]
    assert [stance.text for stance in Stance] == ["unsaid", "allowed", "notAllowed"]
    for use in Use:
        assert Use.from_cawg(use.cawg) is use
    for stance in Stance:
        assert Stance.from_text(stance.text) is stance
    for unknown in ("", "AI_TRAINING", "training", "notallowed"):
        with pytest.raises(BadStatement):
            Use.from_cawg(unknown)
        with pytest.raises(BadStatement):
            Stance.from_text(unknown)


def test_every_purpose_has_a_term_of_its_own():
    terms = [purpose.term for purpose in Purpose]
    assert terms[0] == ""
    assert len(set(terms)) == len(Purpose)
    for term in terms[1:]:
        prefix, name = term.split(":")
        assert prefix in {"dpv", "sector-health"}
        assert name.isalpha()


@pytest.mark.parametrize(
    ("valid_until", "day", "expired"),
    [(0, 2**32 - 1, False), (100, 99, False), (100, 100, False), (100, 101, True)],
)
def test_a_statement_holds_through_its_last_day(valid_until, day, expired):
    statement = Statement.of({Use.AI_TRAINING: Stance.NOT_ALLOWED}, valid_until=valid_until)
    assert statement.expired(day) is expired


def test_days_begin_at_midnight_utc():
    assert today(0) == 0
    assert today(86_399.999) == 0
    assert today(86_400) == 1
    assert today(1_735_689_600) == 20_089  # 2025-01-01T00:00:00Z
