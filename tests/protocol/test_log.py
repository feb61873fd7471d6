import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadSignature, Malformed
from consent_client.protocol.keys import derive_owner
from consent_client.protocol.log import (
    MAX_INDEX,
    REASONS_OF,
    Certify,
    Close,
    Day,
    Dispute,
    DisputeOutcome,
    DisputeReason,
    Erase,
    EraseReason,
    Register,
    Session,
    Snapshot,
    Withdraw,
    check_withdrawal,
    decode_bundle,
    decode_entry,
    encode_bundle,
)
from consent_client.protocol.records import withdraw_message

ORIGIN = "registry.example"
OWNER = derive_owner(bytes(range(16)), ORIGIN, 0)

HASHES = st.binary(min_size=32, max_size=32)
INDICES = st.integers(0, MAX_INDEX)
ENTRIES = st.one_of(
    st.builds(Register, HASHES, HASHES),
    st.builds(Withdraw, INDICES, HASHES, st.binary(min_size=64, max_size=64)),
    st.builds(Erase, INDICES, st.sampled_from(EraseReason)),
    st.builds(Session, HASHES, HASHES, st.integers(1, MAX_INDEX), HASHES),
    st.builds(Close, INDICES, INDICES, HASHES),
    st.builds(Certify, INDICES, HASHES),
    st.builds(Snapshot, INDICES, INDICES, HASHES),
    st.builds(Day, st.integers(0, 2**32 - 1)),
    st.builds(
        lambda index, reference, decided: Dispute(index, reference, *decided),
        INDICES,
        HASHES,
        st.sampled_from(
            [(outcome, reason) for outcome, fits in REASONS_OF.items() for reason in sorted(fits)]
        ),
    ),
)


@given(ENTRIES)
def test_an_entry_reads_back(entry):
    assert decode_entry(entry.encode()) == entry


@given(
    st.binary(max_size=120)
    | st.tuples(st.integers(0, 10), st.binary(max_size=120)).map(
        lambda case: b"cr1" + bytes([case[0]]) + case[1]
    )
)
def test_any_bytes_are_a_canonical_entry_or_refused(data):
    try:
        entry = decode_entry(data)
    except Malformed:
        return
    assert entry.encode() == data


def test_types_that_are_not_known_fail_closed():
    known = []
    for kind in range(256):
        for body in (
            bytes(64),
            bytes(104),
            bytes(8) + b"\x01",
            bytes(64) + (1).to_bytes(8) + bytes(32),
            bytes(48),
            bytes(40),
            bytes(4),
            bytes(40) + b"\x01\x01",
        ):
            try:
                decode_entry(b"cr1" + bytes([kind]) + body)
            except Malformed:
                continue
            known.append(kind)
    assert sorted(set(known)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Register(bytes(31), bytes(32)),
        lambda: Register(bytes(32), bytes(33)),
        lambda: Withdraw(-1, bytes(32), bytes(64)),
        lambda: Withdraw(MAX_INDEX + 1, bytes(32), bytes(64)),
        lambda: Withdraw(0, bytes(31), bytes(64)),
        lambda: Withdraw(0, bytes(32), bytes(63)),
        lambda: Erase(-1, EraseReason.ABUSE),
        lambda: Erase(0, 1),
        lambda: Session(bytes(31), bytes(32), 1, bytes(32)),
        lambda: Session(bytes(32), bytes(33), 1, bytes(32)),
        lambda: Session(bytes(32), bytes(32), 0, bytes(32)),
        lambda: Session(bytes(32), bytes(32), MAX_INDEX + 1, bytes(32)),
        lambda: Session(bytes(32), bytes(32), 1, b""),
        lambda: Close(-1, 0, bytes(32)),
        lambda: Close(0, -1, bytes(32)),
        lambda: Close(0, MAX_INDEX + 1, bytes(32)),
        lambda: Close(0, 0, bytes(31)),
        lambda: Certify(-1, bytes(32)),
        lambda: Certify(0, bytes(33)),
        lambda: Snapshot(-1, 0, bytes(32)),
        lambda: Snapshot(0, MAX_INDEX + 1, bytes(32)),
        lambda: Snapshot(0, 0, bytes(31)),
        lambda: Dispute(-1, bytes(32), DisputeOutcome.STANDS, DisputeReason.SAME_IMAGE),
        lambda: Dispute(0, bytes(31), DisputeOutcome.STANDS, DisputeReason.SAME_IMAGE),
        lambda: Dispute(0, bytes(32), DisputeOutcome.STANDS, DisputeReason.ANOTHER_IMAGE),
        lambda: Dispute(0, bytes(32), DisputeOutcome.ERASED, DisputeReason.UNDECIDED),
        lambda: Dispute(0, bytes(32), 7, DisputeReason.UNDECIDED),
        lambda: Day(-1),
        lambda: Day(2**32),
    ],
)
def test_entries_that_could_not_be_read_are_not_made(make):
    with pytest.raises(Malformed):
        make()


def withdrawal(owner, commitment):
    return Withdraw(7, owner.public, owner.sign(withdraw_message(ORIGIN, commitment)))


@given(HASHES)
def test_a_withdrawal_is_checked_against_its_registration(commitment):
    register = Register(commitment, OWNER.owner_tag)
    check_withdrawal(ORIGIN, withdrawal(OWNER, commitment), register)
    with pytest.raises(BadSignature):
        check_withdrawal("other.example", withdrawal(OWNER, commitment), register)
    with pytest.raises(BadSignature):
        check_withdrawal(
            ORIGIN, withdrawal(OWNER, bytes(32)), Register(b"\x01" * 32, OWNER.owner_tag)
        )


def test_nobody_withdraws_for_another():
    commitment = bytes(32)
    other = derive_owner(bytes(range(16)), ORIGIN, 1)
    with pytest.raises(BadSignature):
        check_withdrawal(
            ORIGIN, withdrawal(other, commitment), Register(commitment, OWNER.owner_tag)
        )


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_a_bundle_reads_back(entries):
    assert list(decode_bundle(encode_bundle(entries))) == entries


@given(st.binary(max_size=20))
def test_any_bytes_are_a_bundle_or_refused(data):
    try:
        entries = decode_bundle(data)
    except Malformed:
        return
    assert encode_bundle(entries) == data


def test_an_entry_fits_a_bundle_up_to_its_length():
    assert decode_bundle(encode_bundle([bytes(65_535)])) == (bytes(65_535),)
    with pytest.raises(Malformed):
        encode_bundle([bytes(65_536)])


def test_entries_do_not_show_keys_or_signatures():
    entry = withdrawal(OWNER, bytes(32))
    assert "signature" not in repr(entry)
    assert "owner_public_key" not in repr(entry)
