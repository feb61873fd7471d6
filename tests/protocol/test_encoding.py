import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.encoding import (
    MAX_LP,
    Reader,
    decode_base64,
    encode_base64,
    lp,
    pack_bitmap,
    u8,
    u16,
    u32,
    u64,
    unpack_bitmap,
    utf8,
)

WIDTHS = [(u8, 1), (u16, 2), (u32, 4), (u64, 8)]


@pytest.mark.parametrize(("write", "size"), WIDTHS)
def test_integers_fill_their_bytes_and_no_more(write, size):
    greatest = 256**size - 1
    assert write(0) == bytes(size)
    assert write(1) == bytes(size - 1) + b"\x01"
    assert write(greatest) == b"\xff" * size
    for value in (-1, greatest + 1):
        with pytest.raises(Malformed):
            write(value)


def test_lp_takes_text_as_utf8():
    assert lp("é") == lp("é".encode()) == b"\0\0\0\x02\xc3\xa9"


def test_lp_has_a_longest_part():
    assert len(lp(bytes(MAX_LP))) == MAX_LP + 4
    with pytest.raises(Malformed):
        lp(bytes(MAX_LP + 1))


def test_text_that_utf8_can_not_hold_is_refused_without_a_copy_of_it():
    with pytest.raises(Malformed) as caught:
        utf8("secret \ud800")
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_lp_reads_back(parts):
    reader = Reader(lp(*parts))
    assert [reader.lp() for _ in parts] == parts
    reader.end()


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_lp_is_injective(first, second):
    assert (lp(*first) == lp(*second)) == (first == second)


def test_a_reader_reads_each_kind_and_then_ends():
    reader = Reader(b"\x01\x00\x02\x00\x00\x00\x03" + u64(4) + lp(b"five"))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)
    with pytest.raises(Malformed):
        reader.end()
    assert reader.lp(4) == b"five"
    reader.end()


@pytest.mark.parametrize("read", [Reader.u8, Reader.u16, Reader.u32, Reader.u64, Reader.lp])
def test_a_reader_never_reads_past_the_end(read):
    with pytest.raises(Malformed):
        read(Reader(b""))


def test_a_reader_refuses_a_string_longer_than_asked_for():
    with pytest.raises(Malformed):
        Reader(lp(b"12345")).lp(4)
    with pytest.raises(Malformed):
        Reader(b"abc").take(-1)


@given(st.lists(st.booleans(), max_size=70))
def test_bitmaps_read_back(bits):
    data = pack_bitmap(np.array(bits, bool))
    assert unpack_bitmap(data, len(bits)).tolist() == bits


@given(st.binary(max_size=4), st.integers(-2, 40))
def test_any_bitmap_is_read_canonically_or_refused(data, count):
    try:
        bits = unpack_bitmap(data, count)
    except Malformed:
        return
    assert len(bits) == count
    assert pack_bitmap(bits) == data


@given(st.binary(max_size=40))
def test_base64_reads_back(data):
    assert decode_base64(encode_base64(data)) == data


@given(st.text(max_size=12) | st.text("AB/+=-_ \n", max_size=12))
def test_any_text_is_canonical_base64_or_refused(text):
    try:
        data = decode_base64(text)
    except Malformed:
        return
    assert base64.b64encode(data).decode() == text
