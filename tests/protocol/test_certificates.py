"""Certificates: one text, signed by the builder, borne out by the log."""

import base64
import json
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadCertificate, BadSignature, Malformed, ProtocolError, WeakKey
from consent_client.protocol.certificates import (
    MAX_CERTIFICATE_BYTES,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    Certificate,
    certify_digest,
    check_evidence,
    check_logged,
    key_id,
    pae,
    sign_certificate,
    verify_certificate,
)
from consent_client.protocol.log import Close, Session
from consent_client.protocol.results import Evidence
from consent_client.protocol.verdicts import Verdict

VECTORS = Path(__file__).parent.parent / "vectors"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TERMS = '{"bank":3,"requiredSpaces":["sha256"],"spaces":{"sscd-1":0.7},"use":"ai_training"}'

CERTIFICATE = Certificate(
    builder=PUBLIC,
    registry="registry.example/2026",
    session_index=12,
    close_index=900,
    results_root=b"\x01" * 32,
    terms=TERMS,
    verdicts={Verdict.CLEAR: 990, Verdict.EXCLUDE: 7, Verdict.PERMIT: 2, Verdict.UNKNOWN: 1},
    spaces={"sha256": 1_000, "sscd-1": 999},
    shipped_root=b"\x02" * 32,
    shipped_count=980,
    tool=("consent-client", "0.1.0"),
)
SESSION = Session(sha256(PUBLIC).digest(), bytes(32), 1_000, sha256(TERMS.encode()).digest())
CLOSE = Close(12, 13, CERTIFICATE.results_root)
EVIDENCE = Evidence(
    shipped_root=CERTIFICATE.shipped_root,
    shipped_count=980,
    verdicts={Verdict.CLEAR: 978, Verdict.PERMIT: 2},
    results_root=CERTIFICATE.results_root,
    count=1_000,
)

DIGESTS = st.binary(min_size=32, max_size=32)
CERTIFICATES = st.builds(
    replace,
    st.just(CERTIFICATE),
    registry=st.sampled_from(["a", "registry.example/2026"]),
    close_index=st.integers(13, 2**53 - 1),
    results_root=DIGESTS,
    verdicts=st.builds(
        lambda a, b, c, d: dict(zip(Verdict, (a, b, c, d), strict=True)),
        st.integers(1_000, 2**40),
        *[st.integers(0, 2**40)] * 3,
    ),
    spaces=st.dictionaries(
        st.sampled_from(["sha256", "pdq-1", "sscd-1", "face-1", "url-1"]),
        st.integers(0, 1_000),
        min_size=1,
    ),
    shipped_root=DIGESTS,
    shipped_count=st.integers(1, 1_000),
    tool=st.tuples(st.sampled_from(["consent-client", "werkzeug \u00e4"]), st.just("1.2")),
    supersedes=st.none() | DIGESTS,
)


def envelope(payload, key=KEY, **changes):
    """A signed envelope of whatever payload, in canonical JSON."""
    value = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": key_id(key.public_key().public_bytes_raw()),
                "sig": base64.b64encode(key.sign(pae(payload))).decode(),
            }
        ],
    }
    return json.dumps(value | changes, separators=(",", ":"), sort_keys=True).encode()


@given(CERTIFICATES)
def test_a_certificate_reads_back(certificate):
    data = sign_certificate(certificate, KEY)
    assert verify_certificate(data) == verify_certificate(data, PUBLIC) == certificate
    assert certify_digest(data) == sha256(pae(certificate.payload())).digest()
    assert envelope(certificate.payload()) == data


def test_it_is_a_statement_as_in_toto_has_it():
    statement = json.loads(CERTIFICATE.payload())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == PREDICATE_TYPE
    assert PREDICATE_TYPE.endswith("/exclusion/v1")
    assert statement["subject"] == [
        {"name": "shipped-manifest", "digest": {"rfc6962Sha256": "02" * 32}}
    ]
    assert statement["predicate"]["screened"] == {
        "count": 1_000,
        "spaces": {"sha256": 1_000, "sscd-1": 999},
        "verdicts": {"CLEAR": 990, "EXCLUDE": 7, "PERMIT": 2, "UNKNOWN": 1},
    }
    assert statement["predicate"]["terms"] == json.loads(TERMS)


def test_what_is_signed_is_the_encoding_of_dsse():
    assert pae(b"hello") == b"DSSEv1 28 application/vnd.in-toto+json 5 hello"


def test_another_key_is_refused():
    data = sign_certificate(CERTIFICATE, KEY)
    with pytest.raises(BadCertificate):
        verify_certificate(data, OTHER.public_key().public_bytes_raw())
    with pytest.raises(BadCertificate):
        sign_certificate(CERTIFICATE, OTHER)
    with pytest.raises(BadCertificate):
        verify_certificate(envelope(CERTIFICATE.payload(), OTHER))
    forged = json.loads(envelope(CERTIFICATE.payload(), OTHER))["signatures"][0]["sig"]
    with pytest.raises(BadSignature):
        verify_certificate(
            envelope(CERTIFICATE.payload(), signatures=[{"keyid": key_id(PUBLIC), "sig": forged}])
        )


def test_a_key_that_proves_nothing_is_refused():
    neutral = b"\x01" + bytes(31)
    with pytest.raises(WeakKey):
        replace(CERTIFICATE, builder=neutral)
    statement = json.loads(CERTIFICATE.payload())
    statement["predicate"]["builder"] = base64.b64encode(neutral).decode()
    payload = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(WeakKey):
        verify_certificate(
            envelope(payload, signatures=[{"keyid": key_id(neutral), "sig": "A" * 86 + "=="}])
        )


@given(st.data())
def test_no_flipped_bit_goes_unseen(data):
    good = sign_certificate(CERTIFICATE, KEY)
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    spoilt = bytearray(good)
    spoilt[at // 8] ^= 1 << at % 8
    with pytest.raises(ProtocolError):
        verify_certificate(bytes(spoilt), PUBLIC)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data):
    with pytest.raises(BadCertificate):
        verify_certificate(data)
    with pytest.raises(BadCertificate):
        verify_certificate(envelope(data))
    with pytest.raises(BadCertificate):
        certify_digest(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.just(2**60),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in inner:
            yield from places(each, (*path, name))


PLACES = [path for path in places(json.loads(CERTIFICATE.payload())) if path]


@given(st.sampled_from(PLACES), JSON, st.sampled_from(["replace", "remove", "add"]))
def test_whatever_stands_elsewhere_in_a_signed_statement_is_refused_or_read(path, value, how):
    """A builder's own signature makes nothing well-formed."""
    statement = json.loads(CERTIFICATE.payload())
    at = statement
    for name in path[:-1]:
        at = at[name]
    if how == "add" and isinstance(at, dict):
        at["more"] = value
    elif how == "remove" and isinstance(at, dict):
        del at[path[-1]]
    else:
        at[path[-1]] = value
    data = envelope(json.dumps(statement, separators=(",", ":"), sort_keys=True).encode())
    try:
        certificate = verify_certificate(data)
    except (BadCertificate, WeakKey):
        return
    assert sign_certificate(certificate, KEY) == data


@pytest.mark.parametrize("name", ["value", "kinds", "self", "", "sha256\0", "constructor"])
def test_no_name_of_a_space_is_taken_for_something_else(name):
    statement = json.loads(CERTIFICATE.payload())
    statement["predicate"]["screened"]["spaces"] = {name: 1}
    payload = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(BadCertificate):
        verify_certificate(envelope(payload))


@pytest.mark.parametrize(
    "change",
    [
        {"results_root": bytes(31)},
        {"shipped_root": bytes(33)},
        {"supersedes": b""},
        {"session_index": -1},
        {"session_index": 900},
        {"close_index": 2**53},
        {"shipped_count": 0},
        {"shipped_count": 993},
        {"verdicts": {Verdict.CLEAR: 1_000}},
        {"verdicts": dict.fromkeys(Verdict, 249)},
        {"verdicts": {**CERTIFICATE.verdicts, Verdict.UNKNOWN: -1}},
        {"spaces": {}},
        {"spaces": {"sha257": 1}},
        {"spaces": {"sha256": 1_001}},
        {"spaces": {"sha256": -1}},
        {"tool": ("", "1")},
        {"tool": ("a\nb", "1")},
        {"tool": ("a", "1" * 101)},
        {"terms": "[]"},
    ],
    ids=str,
)
def test_certificates_that_say_nothing_sensible_are_not_made(change):
    with pytest.raises(BadCertificate):
        replace(CERTIFICATE, **change)


@pytest.mark.parametrize(
    "change",
    [{"terms": "{ }"}, {"terms": "\ud800"}, {"registry": ""}, {"registry": "a b"}],
    ids=ascii,
)
def test_terms_and_origins_that_have_another_text_are_refused(change):
    with pytest.raises(Malformed):
        replace(CERTIFICATE, **change)


def test_a_certificate_is_not_endless():
    long = replace(
        CERTIFICATE, terms=json.dumps({"a": "x" * MAX_CERTIFICATE_BYTES}).replace(" ", "")
    )
    with pytest.raises(BadCertificate):
        sign_certificate(long, KEY)
    with pytest.raises(BadCertificate):
        verify_certificate(envelope(long.payload()))


def test_the_log_bears_a_certificate_out():
    check_logged(CERTIFICATE, SESSION, CLOSE)
    check_evidence(CERTIFICATE, EVIDENCE)


@pytest.mark.parametrize(
    ("session", "close"),
    [
        ({"builder": bytes(32)}, {}),
        ({"terms": bytes(32)}, {}),
        ({"count": 1_001}, {}),
        ({}, {"session_index": 13}),
        ({}, {"results_root": bytes(32)}),
    ],
)
def test_entries_of_another_session_contradict_it(session, close):
    with pytest.raises(BadCertificate):
        check_logged(CERTIFICATE, replace(SESSION, **session), replace(CLOSE, **close))


@pytest.mark.parametrize(
    "change",
    [
        {"shipped_root": bytes(32)},
        {"shipped_count": 979},
        {"results_root": bytes(32)},
        {"count": 1_001},
        {"verdicts": {Verdict.CLEAR: 977, Verdict.PERMIT: 3}},
    ],
    ids=str,
)
def test_evidence_of_something_else_contradicts_it(change):
    with pytest.raises(BadCertificate):
        check_evidence(CERTIFICATE, replace(EVIDENCE, **change))


def test_roots_and_keys_are_not_in_its_repr():
    shown = repr(CERTIFICATE)
    assert not any(each.name in shown for each in fields(CERTIFICATE) if "root" in each.name)
    assert "builder" not in shown


def test_another_implementation_verifies_the_envelope():
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")
    exceptions = pytest.importorskip("securesystemslib.exceptions")
    vector = json.loads((VECTORS / "certificates.json").read_text(encoding="utf-8"))
    public = bytes.fromhex(vector["builder"])
    key = signer.SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public.hex()})
    made = dsse.Envelope.from_dict(json.loads(vector["certificate"]))
    assert list(made.verify([key], 1)) == [key_id(public)]
    data = sign_certificate(CERTIFICATE, KEY)
    found = dsse.Envelope.from_dict(json.loads(data))
    assert found.pae() == pae(CERTIFICATE.payload())
    assert found.payload_type == PAYLOAD_TYPE
    key = signer.SSlibKey(key_id(PUBLIC), "ed25519", "ed25519", {"public": PUBLIC.hex()})
    assert list(found.verify([key], 1)) == [key_id(PUBLIC)]
    other = base64.b64encode(CERTIFICATE.payload() + b" ").decode()
    with pytest.raises(exceptions.VerificationError):
        dsse.Envelope.from_dict(json.loads(data) | {"payload": other}).verify([key], 1)
