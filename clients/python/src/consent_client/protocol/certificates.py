"""Certificates: what a builder says of a data set, so that the log can bear it out (FORMATS §6).

An in-toto Statement v1 in a DSSE envelope, signed by the builder's Ed25519 key. Its subject is the
shipped manifest, its predicate says in which committed session each of its rows was screened. The
envelope and the statement are canonical JSON, so a certificate has one text; whatever else stands
in it is refused, for a reader would not know what it promises.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.errors import BadCertificate, Malformed
from consent_client.protocol.canonical_json import canonical, read_canonical
from consent_client.protocol.encoding import decode_base64, encode_base64, utf8
from consent_client.protocol.keys import PUBLIC_KEY_BYTES, check_public_key, verify
from consent_client.protocol.log import MAX_INDEX, Close, Session
from consent_client.protocol.manifests import MIN_CERTIFIED_ROWS
from consent_client.protocol.merkle import HASH_BYTES
from consent_client.protocol.origins import check_origin
from consent_client.protocol.results import Evidence
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.verdicts import Verdict

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"

PREDICATE_TYPE: Final = "tag:consent-registry,2026:/exclusion/v1"
"""A name (RFC 4151) and no address: it belongs to the format, not to a registry."""

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

DIGEST: Final = "rfc6962Sha256"
"""What kind of digest the subject has: the root of a tree of RFC 6962 over its rows."""

MAX_CERTIFICATE_BYTES: Final = 2**16
"""Terms are its longest part, a few kB."""

MAX_NAME: Final = 100
"""Longest name or version of a tool, characters."""

_SUBJECT: Final = "shipped-manifest"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    Attributes:
        builder: the builder's Ed25519 public key, 32 bytes.
        registry: the registry's origin.
        session_index: index of the SESSION entry.
        close_index: index of its CLOSE entry.
        results_root: of the session, as in the CLOSE entry.
        terms: the session's, canonical JSON as the registry gave it.
        verdicts: for each verdict, how many rows of the session were answered so; all four.
        spaces: for each space that was asked about, how many rows had a fingerprint there.
        shipped_root: root of the shipped manifest.
        shipped_count: its rows.
        tool: name and version of what made the data set.
        supersedes: digest of the certificate that this one takes the place of.

    Raises:
        BadCertificate: a value that no certificate has.
        Malformed: terms that are not canonical JSON, or no origin.
        WeakKey: a key that proves nothing.
    """

    builder: bytes = field(repr=False)
    registry: str
    session_index: int
    close_index: int
    results_root: bytes = field(repr=False)
    terms: str
    verdicts: Mapping[Verdict, int]
    spaces: Mapping[str, int]
    shipped_root: bytes = field(repr=False)
    shipped_count: int
    tool: tuple[str, str]
    supersedes: bytes | None = None

    def __post_init__(self) -> None:
        check_public_key(self.builder)
        check_origin(self.registry)
        hashes = [self.results_root, self.shipped_root, self.supersedes]
        if any(len(value) != HASH_BYTES for value in hashes if value is not None):
            raise BadCertificate("a digest has 32 bytes")
        numbers = [self.session_index, self.close_index, self.shipped_count]
        numbers += [*self.verdicts.values(), *self.spaces.values()]
        if not all(0 <= number <= MAX_INDEX for number in numbers):
            raise BadCertificate("a number out of range")
        if not self.session_index < self.close_index:
            raise BadCertificate("a session is closed after it is opened")
        self._check_counts()
        if not all(1 <= len(text) <= MAX_NAME and text.isprintable() for text in self.tool):
            raise BadCertificate(f"a tool has a name and a version of up to {MAX_NAME} characters")
        if not isinstance(read_canonical(utf8(self.terms)), dict):
            raise BadCertificate("terms are a JSON object")

    def _check_counts(self) -> None:
        if set(self.verdicts) != set(Verdict) or self.count < MIN_CERTIFIED_ROWS:
            message = f"a certificate is about at least {MIN_CERTIFIED_ROWS} rows, of four verdicts"
            raise BadCertificate(message)
        cleared = self.verdicts[Verdict.CLEAR] + self.verdicts[Verdict.PERMIT]
        if not 1 <= self.shipped_count <= cleared:
            raise BadCertificate("what is shipped is a part of what was cleared")
        if not self.spaces or not self.spaces.keys() <= SPACES.keys():
            raise BadCertificate("it was screened in at least one space, and known ones only")
        if max(self.spaces.values()) > self.count:
            raise BadCertificate("more rows in a space than there are")

    @property
    def count(self) -> int:
        """Rows of the session, n."""
        return sum(self.verdicts.values())

    def payload(self) -> bytes:
        """The in-toto statement, canonical JSON."""
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "predicateType": PREDICATE_TYPE,
                "subject": [{"digest": {DIGEST: self.shipped_root.hex()}, "name": _SUBJECT}],
                "predicate": {
                    "builder": encode_base64(self.builder),
                    "registry": self.registry,
                    "resultsRoot": self.results_root.hex(),
                    "screened": {
                        "count": self.count,
                        "spaces": dict(self.spaces),
                        "verdicts": {each.name: self.verdicts[each] for each in Verdict},
                    },
                    "session": {"close": self.close_index, "open": self.session_index},
                    "shipped": {"count": self.shipped_count},
                    "supersedes": None if self.supersedes is None else self.supersedes.hex(),
                    "terms": read_canonical(self.terms.encode()),
                    "tool": dict(zip(("name", "version"), self.tool, strict=True)),
                },
            }
        )


def pae(payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE v1: what is signed."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(public: bytes) -> str:
    """How a certificate names the key it is signed by: H(public key) in hex, as in SESSION."""
    return sha256(public).hexdigest()


def sign_certificate(certificate: Certificate, private: Ed25519PrivateKey) -> bytes:
    """The envelope, canonical JSON.

    Raises:
        BadCertificate: another key than the builder's, or too much in it.
    """
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    if public != certificate.builder:
        raise BadCertificate("signed by another key than the builder's")
    payload = certificate.payload()
    signature = encode_base64(private.sign(pae(payload)))
    envelope = canonical(
        {
            "payload": encode_base64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id(public), "sig": signature}],
        }
    )
    if len(envelope) > MAX_CERTIFICATE_BYTES:
        raise BadCertificate("too long for a certificate")
    return envelope


def verify_certificate(data: bytes, builder: bytes | None = None) -> Certificate:
    """What a certificate says, if the builder signed it.

    Args:
        data: the envelope.
        builder: the key it must be signed by; None: the one it names, which shows who signed it
            once `check_logged` found its hash in the SESSION entry.

    Raises:
        BadCertificate: not a certificate of this version, or by another builder.
        BadSignature: not signed by that key.
        WeakKey: a key that proves nothing.
    """
    payload, named, signature = _open_envelope(data)
    certificate = _read_payload(payload)
    if named != key_id(certificate.builder):
        raise BadCertificate("signed by another key than the builder's")
    if builder is not None and builder != certificate.builder:
        raise BadCertificate("a certificate of another builder")
    verify(certificate.builder, signature, pae(payload))
    return certificate


def certify_digest(data: bytes) -> bytes:
    """H(pre-authentication encoding) of an envelope, as its CERTIFY entry has it.

    Raises:
        BadCertificate: not an envelope of a certificate.
    """
    payload, _, _ = _open_envelope(data)
    return sha256(pae(payload)).digest()


def check_logged(certificate: Certificate, session: Session, close: Close) -> None:
    """Whether the log's entries, at the indices that the certificate names, bear it out.

    Raises:
        BadCertificate: they are of another builder or session, or of other terms or results.
    """
    if sha256(certificate.builder).digest() != session.builder:
        raise BadCertificate("the session was opened by another builder")
    if sha256(certificate.terms.encode()).digest() != session.terms:
        raise BadCertificate("the session was opened on other terms")
    if certificate.count != session.count:
        raise BadCertificate("the session has another number of rows")
    if close.session_index != certificate.session_index:
        raise BadCertificate("the CLOSE entry is of another session")
    if close.results_root != certificate.results_root:
        raise BadCertificate("the session was closed with other results")


def check_evidence(certificate: Certificate, evidence: Evidence) -> None:
    """Whether verified evidence is of what the certificate says was shipped.

    Raises:
        BadCertificate: it is of another manifest or session.
    """
    shipped = certificate.shipped_root, certificate.shipped_count
    if shipped != (evidence.shipped_root, evidence.shipped_count):
        raise BadCertificate("the evidence is of another shipped manifest")
    screened = certificate.results_root, certificate.count
    if screened != (evidence.results_root, evidence.count):
        raise BadCertificate("the evidence is of another session")
    if any(number > certificate.verdicts[each] for each, number in evidence.verdicts.items()):
        raise BadCertificate("more rows of a verdict were shipped than were answered so")


# Reading


def _open_envelope(data: bytes) -> tuple[bytes, str, bytes]:
    """Payload, key id and signature; the one signature is the builder's."""
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise BadCertificate("too long for a certificate")
    try:
        value = read_canonical(data)
        envelope = _fields(value, payload=str, payloadType=str, signatures=list)
        [signature] = envelope["signatures"] if len(envelope["signatures"]) == 1 else [None]
        signed = _fields(signature, keyid=str, sig=str)
        payload, raw = decode_base64(envelope["payload"]), decode_base64(signed["sig"])
    except Malformed:
        payload = None
    if payload is None or envelope["payloadType"] != PAYLOAD_TYPE:
        raise BadCertificate("not an envelope of a certificate")
    return payload, signed["keyid"], raw


def _read_payload(payload: bytes) -> Certificate:
    try:
        certificate = _certificate(read_canonical(payload))
    except Malformed:
        certificate = None
    if certificate is None or certificate.payload() != payload:
        raise BadCertificate("not a certificate of this version")
    return certificate


def _certificate(value: object) -> Certificate:
    statement = _fields(value, _type=str, predicateType=str, subject=list, predicate=dict)
    [subject] = statement["subject"] if len(statement["subject"]) == 1 else [None]
    shipped = _fields(subject, digest=dict, name=str)
    predicate = _fields(
        statement["predicate"],
        builder=str,
        registry=str,
        resultsRoot=str,
        screened=dict,
        session=dict,
        shipped=dict,
        supersedes=(str, type(None)),
        terms=dict,
        tool=dict,
    )
    screened = _fields(predicate["screened"], count=int, spaces=dict, verdicts=dict)
    session = _fields(predicate["session"], close=int, open=int)
    verdicts = _fields(screened["verdicts"], **{each.name: int for each in Verdict})
    tool = _fields(predicate["tool"], name=str, version=str)
    supersedes = predicate["supersedes"]
    return Certificate(
        builder=_sized(decode_base64(predicate["builder"]), PUBLIC_KEY_BYTES),
        registry=predicate["registry"],
        session_index=session["open"],
        close_index=session["close"],
        results_root=_hash(predicate["resultsRoot"]),
        terms=canonical(predicate["terms"]).decode(),
        verdicts={each: verdicts[each.name] for each in Verdict},
        spaces=_fields(screened["spaces"], **dict.fromkeys(screened["spaces"], int)),
        shipped_root=_hash(_fields(shipped["digest"], **{DIGEST: str})[DIGEST]),
        shipped_count=_fields(predicate["shipped"], count=int)["count"],
        tool=(tool["name"], tool["version"]),
        supersedes=None if supersedes is None else _hash(supersedes),
    )


def _fields(value: object, /, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """An object with exactly these fields, of these types; True is no number here."""
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        raise Malformed("other fields than a certificate has")
    for name, kind in kinds.items():
        if not isinstance(value[name], kind) or isinstance(value[name], bool):
            raise Malformed("a field of another type")
    return value


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise Malformed("a value of another length")
    return data


def _hash(text: str) -> bytes:
    """32 bytes behind their lower-case hex, of which there is one text."""
    if len(text) != 2 * HASH_BYTES or not set(text) <= set("0123456789abcdef"):
        raise Malformed("a digest that is not 32 bytes in hex")
    return bytes.fromhex(text)
