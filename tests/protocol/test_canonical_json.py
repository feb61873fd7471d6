"""Canonical JSON: one value, one text (RFC 8785)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.canonical_json import MAX_INTEGER, canonical, read_canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(1e-4, 1e15) | st.floats(-1e15, -1e-4)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_reads_back_from_its_one_text(value):
    text = canonical(value)
    assert read_canonical(text) == value
    assert canonical(json.loads(text)) == text


@given(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_canonical_or_refused(data):
    try:
        value = read_canonical(data)
    except Malformed:
        return
    assert canonical(value) == data


def test_names_are_sorted_by_their_utf16_units_as_in_the_rfcs_example():
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    expected = ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(names)))) == expected


def test_what_is_escaped_is_as_in_the_rfc():
    value = '\u20ac$\x0f\nA\'B"\\\\"/\x7f'
    assert canonical(value) == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.0, "0"), (0.7, "0.7"), (4.5, "4.5"), (0.002, "0.002"), (1e15, "1" + "0" * 15)],
)
def test_numbers_are_as_short_as_they_can_be(value, text):
    assert canonical(value).decode() == text


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), 1e-5, 1e16 + 0.5, float("nan"), float("inf"), "\ud800", {1: 2}, b"x", {1, 2}],
    ids=repr,
)
def test_what_has_no_canonical_text_is_refused(value):
    with pytest.raises(Malformed):
        canonical([value])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1.0",
        "1e2",
        "-0",
        "01",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "9" * 5_000,
        "[1, 2]",
        '{"b":1,"a":2}',
        '{"a":1,"a":1}',
        '"\\u0041"',
        '"\\ud800"',
        '"\\/"',
        "[" * 60_000,
        "[" * 20_000 + "]" * 20_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_other_texts_are_refused(text):
    with pytest.raises(Malformed):
        read_canonical(text.encode())


def test_bytes_that_are_no_utf8_are_refused():
    with pytest.raises(Malformed):
        read_canonical(b'"\xff"')
