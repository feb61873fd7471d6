"""Verdicts at rest: hidden, shown, and plain ones of an earlier version read as they are."""

from hypothesis import given
from hypothesis import strategies as st

from registry.vault.verdicts import (
    are_hidden,
    hide_verdicts,
    keystream,
    show_verdicts,
    xor,
)

SECRET, SCREENING, DIGEST = bytes(range(32)), bytes(16), bytes(32)

verdicts = st.binary(min_size=1, max_size=300).map(lambda data: bytes(byte & 3 for byte in data))


@given(verdicts)
def test_what_is_hidden_is_shown_again(made: bytes) -> None:
    stream = keystream(SECRET, "x", SCREENING, 1, DIGEST, 9, len(made))
    hidden = hide_verdicts(made, stream)
    assert are_hidden(hidden)
    assert len(hidden) == len(made)
    assert show_verdicts(hidden, stream) == made
    assert show_verdicts(made, stream) == made  # of an earlier version
    assert xor(xor(made, stream), stream) == made


def test_every_row_has_a_keystream_of_its_own() -> None:
    """Also one that is answered again after a backup was restored: the log is longer by then."""
    rows = [
        (SECRET, "x", SCREENING, 1, DIGEST, 9),
        (bytes(32), "x", SCREENING, 1, DIGEST, 9),
        (SECRET, "y", SCREENING, 1, DIGEST, 9),
        (SECRET, "x", bytes(15) + b"1", 1, DIGEST, 9),
        (SECRET, "x", SCREENING, 2, DIGEST, 9),
        (SECRET, "x", SCREENING, 1, bytes(31) + b"1", 9),
        (SECRET, "x", SCREENING, 1, DIGEST, 10),
    ]
    assert len({keystream(*row, 32) for row in rows}) == len(rows)


def test_one_block_looks_like_noise() -> None:
    hidden = hide_verdicts(bytes(8_192), keystream(SECRET, "x", SCREENING, 1, DIGEST, 9, 8_192))
    assert len(set(hidden)) == 128
    assert 3_500 < sum(byte & 1 for byte in hidden) < 4_700
