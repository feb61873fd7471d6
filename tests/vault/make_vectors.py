"""Writes tests/vectors/at-rest.json and corruptions/at-rest/, straight from FORMATS §4.

    python tests/vault/make_vectors.py            write them
    python tests/vault/make_vectors.py --check    say what differs

It shares nothing with `registry.vault` but the library's ciphers.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

VECTORS = Path(__file__).parent.parent / "vectors"
EPOCH = 7
RECORD_DOMAIN = b"consent-registry/v1/record"


def fixed(name, size):
    return hashlib.shake_256(b"at-rest " + name.encode()).digest(size)


def lp(*parts):
    return b"".join(len(part).to_bytes(4) + part for part in parts)


RECORD, OTHER_RECORD = fixed("record", 16), fixed("other record", 16)
DATA_KEY, OTHER_DATA_KEY = fixed("data key", 32), fixed("other data key", 32)
KEKS = {epoch: fixed(f"kek {epoch}", 32) for epoch in (EPOCH - 1, EPOCH)}
PLAINTEXT = fixed("plaintext", 8_192)


def content(key=DATA_KEY, record=RECORD, plaintext=PLAINTEXT, nonce="nonce", version=1):
    aad = lp(RECORD_DOMAIN, record)
    nonce = fixed(nonce, 12)
    return bytes([version]) + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def wrapped(
    kek=KEKS[EPOCH],
    epoch=EPOCH,
    record=RECORD,
    key=DATA_KEY,
    domain=b"consent-registry/v1/data-key",
    cipher=AESGCMSIV,
):
    nonce = fixed("wrap nonce", 12)
    aad = lp(domain, record, epoch.to_bytes(4))
    return b"\x01" + epoch.to_bytes(4) + nonce + cipher(kek).encrypt(nonce, key, aad)


def flip(data, at, bit=0):
    out = bytearray(data)
    out[at] ^= 1 << bit
    return bytes(out)


def corruptions():
    """(name, description, what is spoilt) of a record at rest."""
    key, body = wrapped(), content()
    swapped = body[:13] + body[29:45] + body[13:29] + body[45:]
    for name, description, value in (
        ("key-empty", "no wrapped data key", b""),
        ("key-ends-early", "the wrapped data key's last byte is missing", key[:-1]),
        ("key-only-a-head", "the wrapped data key ends after its epoch", key[:5]),
        ("key-goes-on", "a byte after the wrapped data key", key + b"\0"),
        ("key-of-version-0", "the wrapped data key's version is 0", b"\0" + key[1:]),
        ("key-of-version-2", "the wrapped data key's version is 2", b"\x02" + key[1:]),
        ("key-epoch-relabelled", "wrapped under 7, says 6", key[:1] + b"\0\0\0\x06" + key[5:]),
        ("key-epoch-unknown", "an epoch whose key is not there", wrapped(epoch=EPOCH + 1)),
        ("key-epoch-reversed", "the epoch in little-endian", key[:1] + b"\x07\0\0\0" + key[5:]),
        ("key-nonce-flipped", "a bit of the nonce", flip(key, 5)),
        ("key-body-flipped", "a bit of the encrypted key", flip(key, 17, 7)),
        ("key-tag-flipped", "a bit of the tag", flip(key, -1)),
        ("key-of-another-record", "moved to this record", wrapped(record=OTHER_RECORD)),
        ("key-under-another-epochs-kek", "says 7, under 6's key", wrapped(kek=KEKS[EPOCH - 1])),
        ("key-of-another-domain", "another domain string", wrapped(domain=RECORD_DOMAIN)),
        ("key-under-gcm", "AES-GCM where AES-GCM-SIV belongs", wrapped(cipher=AESGCM)),
        ("key-of-16-bytes", "an AES-128 key, wrapped", wrapped(key=DATA_KEY[:16])),
        ("key-of-another-content", "not the content's", wrapped(key=OTHER_DATA_KEY)),
        ("key-not-wrapped", "the data key itself", DATA_KEY),
        ("key-is-the-content", "the content in the wrapped key's place", body[:65]),
    ):  # fmt: skip
        yield name, description, {"wrapped": value}
    for name, description, value in (
        ("content-empty", "no content", b""),
        ("content-only-a-version", "one byte of content", body[:1]),
        ("content-ends-in-the-nonce", "cut within the nonce", body[:9]),
        ("content-ends-in-the-tag", "the last byte is missing", body[:-1]),
        ("content-without-its-tag", "the tag is missing", body[:-16]),
        ("content-goes-on", "a byte after the tag", body + b"\0"),
        ("content-of-version-0", "the version is 0", content(version=0)),
        ("content-of-version-2", "the version is 2", content(version=2)),
        ("content-nonce-flipped", "a bit of the nonce", flip(body, 1)),
        ("content-first-byte-flipped", "a bit of the first encrypted byte", flip(body, 13)),
        ("content-last-byte-flipped", "a bit of the last encrypted byte", flip(body, -17, 7)),
        ("content-tag-flipped", "a bit of the tag", flip(body, -1)),
        ("content-blocks-swapped", "two cipher blocks exchanged", swapped),
        ("content-of-another-record", "moved to this record", content(record=OTHER_RECORD)),
        ("content-under-another-key", "under another data key", content(key=OTHER_DATA_KEY)),
        ("content-under-the-kek", "encrypted under the epoch's key", content(key=KEKS[EPOCH])),
        ("content-not-padded", "a plaintext of 8,191 bytes", content(plaintext=PLAINTEXT[:-1])),
        ("content-too-long", "a plaintext of 8,193 bytes", content(plaintext=PLAINTEXT + b"\0")),
        ("content-not-encrypted", "the plaintext, framed", body[:13] + PLAINTEXT + bytes(16)),
    ):  # fmt: skip
        yield name, description, {"content": value}
    yield "record-id-too-short", "15 bytes of record id", {"record": RECORD[:-1]}
    yield "record-id-too-long", "17 bytes of record id", {"record": RECORD + b"\0"}
    yield "record-id-empty", "no record id", {"record": b""}


def sample(wrapped=wrapped(), content=None, record=RECORD):  # noqa: B008
    out = {
        "record_id": record.hex(),
        "keks": {str(epoch): key.hex() for epoch, key in KEKS.items()},
        "wrapped": wrapped.hex(),
    }
    if content is not None:
        out["content"] = base64.b64encode(content).decode()
    return out


def rendered():
    good = {
        **sample(content=content()),
        "epoch": EPOCH,
        "data_key": DATA_KEY.hex(),
        "plaintext": base64.b64encode(PLAINTEXT).decode(),
    }
    files = {VECTORS / "at-rest.json": good}
    for name, description, spoilt in corruptions():
        if name == "key-of-another-content":
            spoilt["content"] = content()
        files[VECTORS / "corruptions" / "at-rest" / f"{name}.json"] = {
            "format": "at-rest",
            "description": description,
            "input": sample(**spoilt),
            "error": "ENVELOPE_ERROR",
        }
    return {path: json.dumps(value, indent=1) + "\n" for path, value in files.items()}


def main():
    files = rendered()
    if "--check" in sys.argv:
        there = {*(VECTORS / "corruptions" / "at-rest").glob("*"), VECTORS / "at-rest.json"}
        wrong = {
            path for path, text in files.items() if not path.exists() or path.read_text() != text
        }
        for path in sorted(wrong | (there - set(files))):
            print("differs:", path.relative_to(VECTORS))
        return bool(wrong or there != set(files))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
