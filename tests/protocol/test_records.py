import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import BadFingerprint, Malformed, ProtocolError, UnknownSpace
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.keys import derive_owner, verify
from consent_client.protocol.records import (
    RecordContent,
    RegistrationRequest,
    build_registration,
    commitment,
    read_message,
    register_message,
    withdraw_message,
)
from consent_client.protocol.sealing import (
    PLAINTEXT_BYTES,
    SealingKey,
    SealingSecret,
    Suite,
    open_sealed,
)
from consent_client.protocol.statements import Basis, Purpose, Stance, Statement

ORIGIN = "registry.example"
OWNER = derive_owner(bytes(range(16)), ORIGIN, 0)

HASHES = st.binary(min_size=32, max_size=32)
STATEMENTS = st.builds(
    Statement,
    stances=st.tuples(*[st.sampled_from(Stance)] * 4).filter(any),
    basis=st.sampled_from(Basis),
    given_for=st.sampled_from(Purpose),
    valid_until=st.integers(0, 2**32 - 1),
)
VECTORS = st.integers(0, 2**32 - 1).map(
    lambda seed: encode_float(np.random.default_rng(seed).normal(size=512))
)
LISTS = st.fixed_dictionaries(
    {"sha256": st.tuples(HASHES)},
    optional={
        "pdq-1": st.lists(HASHES, min_size=1, max_size=8).map(tuple),
        "sscd-1": st.lists(VECTORS, min_size=1, max_size=2).map(tuple),
    },
)
CONTENTS = st.builds(RecordContent, opening=HASHES, statement=STATEMENTS, fingerprints=LISTS)


@given(CONTENTS)
def test_content_reads_back_and_has_one_size(content):
    data = content.encode()
    assert len(data) == PLAINTEXT_BYTES
    assert RecordContent.decode(data) == content
    assert RecordContent.decode_stored(data) == content


@given(st.binary(max_size=8192))
def test_any_bytes_are_canonical_content_or_refused(data):
    padded = b"\x01" + data[: PLAINTEXT_BYTES - 1].ljust(PLAINTEXT_BYTES - 1, b"\0")
    for candidate in (data, padded):
        try:
            content = RecordContent.decode(candidate)
        except ProtocolError:
            continue
        assert content.encode() == candidate


@given(CONTENTS, st.data())
@settings(max_examples=300)
def test_spoiled_content_is_other_content_or_refused(content, data):
    spoiled = bytearray(content.encode())
    at = data.draw(st.integers(0, 200) | st.integers(0, PLAINTEXT_BYTES - 1))
    spoiled[at] ^= data.draw(st.integers(1, 255))
    try:
        found = RecordContent.decode(bytes(spoiled))
    except ProtocolError:
        return
    assert found != content
    assert found.encode() == bytes(spoiled)
    assert found.commitment != content.commitment


@given(CONTENTS, CONTENTS)
def test_a_commitment_binds_opening_statement_and_fingerprints(first, second):
    assert (first.commitment == second.commitment) == (first == second)


@given(CONTENTS, st.data())
def test_a_commitment_changes_with_each_of_its_parts(content, data):
    parts = [content.opening, content.statement.encode(), content.image_digest]
    assert commitment(*parts) == content.commitment
    spoiled = data.draw(st.integers(0, 2))
    part = bytearray(parts[spoiled])
    part[data.draw(st.integers(0, len(part) - 1))] ^= data.draw(st.integers(1, 255))
    parts[spoiled] = bytes(part)
    assert commitment(*parts) != content.commitment


@given(HASHES, HASHES)
def test_messages_are_told_apart_by_verb_registry_and_record(first, second):
    messages = [
        message
        for origin in (ORIGIN, "other.example")
        for value in {first, second}
        for message in (
            register_message(origin, OWNER.record_id, value),
            withdraw_message(origin, value),
            read_message(origin, OWNER.record_id, value),
            register_message(origin, bytes(16), value),
        )
    ]
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("nonce", [b"", bytes(65)])
def test_a_nonce_has_a_sensible_length(nonce):
    with pytest.raises(Malformed):
        read_message(ORIGIN, OWNER.record_id, nonce)


STATEMENT = Statement((Stance.NOT_ALLOWED,) * 4)


@pytest.mark.parametrize(
    ("opening", "fingerprints", "error"),
    [
        (bytes(31), {"sha256": (bytes(32),)}, Malformed),
        (bytes(33), {"sha256": (bytes(32),)}, Malformed),
        (bytes(32), {}, Malformed),
        (bytes(32), {"sha256": ()}, Malformed),
        (bytes(32), {"sha257": (bytes(32),)}, UnknownSpace),
        (bytes(32), {"sha256": (bytes(31),)}, BadFingerprint),
        (bytes(32), {"sscd-1": (bytes(1024),)}, BadFingerprint),
    ],
)
def test_content_that_could_not_be_read_is_not_written(opening, fingerprints, error):
    with pytest.raises(error):
        RecordContent(opening, STATEMENT, fingerprints).encode()


def test_content_and_requests_do_not_show_what_they_hold():
    fingerprint = bytes(range(100, 132))
    content = RecordContent(OWNER.opening, STATEMENT, {"sha256": (fingerprint,)})
    secret = SealingSecret.generate(Suite.X25519)
    key = SealingKey(Suite.X25519, secret.public_bytes, 1, 2)
    request = build_registration(OWNER, ORIGIN, STATEMENT, {"sha256": (fingerprint,)}, key)
    shown = f"{content!r} {request!r} {secret!r}"
    hidden = (
        fingerprint,
        OWNER.opening,
        request.signature,
        request.sealed,
        request.commitment,
        secret.private_bytes,
    )
    for value in hidden:
        assert repr(value)[2:-1] not in shown
        assert value.hex() not in shown


@pytest.mark.parametrize("suite", Suite)
@given(statement=STATEMENTS, fingerprints=LISTS, i=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_registration_end_to_end(suite, statement, fingerprints, i):
    owner = derive_owner(bytes(range(16)), ORIGIN, i)
    secret = SealingSecret.generate(suite)
    key = SealingKey(suite, secret.public_bytes, 20_000, 20_030)
    request = build_registration(owner, ORIGIN, statement, fingerprints, key)

    message = register_message(ORIGIN, request.record_id, request.commitment)
    verify(request.owner_public_key, request.signature, message)
    plaintext = open_sealed(
        request.sealed,
        secret,
        request.sealing_key_id,
        ORIGIN,
        request.record_id,
        request.owner_public_key,
    )
    content = RecordContent.decode(plaintext)
    assert content == RecordContent(owner.opening, statement, fingerprints)
    assert content.commitment == request.commitment
    assert RegistrationRequest.from_json(request.to_json()) == request


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=8,
)
FIELDS = ("recordId", "ownerPublicKey", "commitment", "signature", "sealingKeyId", "sealed")


@given(JSON | st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)))
def test_any_json_is_refused_with_a_typed_error(value):
    with pytest.raises(ProtocolError):
        RegistrationRequest.from_json(value)
