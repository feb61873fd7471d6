"""A second, slow and small implementation of the formats, straight from the text of FORMATS.

It shares no code with `consent_client`: hashing is `hashlib` and `hmac`, Ed25519 is the arithmetic
of RFC 8032 in Python integers, HPKE is the key schedule of RFC 9180 over raw ML-KEM, X25519 and
AES-GCM. `make.py` writes the vectors with it. Never use it for anything but vectors: it is not
constant in time.
"""

import base64
import functools
import hashlib
import hmac
import struct
from importlib import resources

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def sha256(data):
    return hashlib.sha256(data).digest()


def fixed(label, count):
    """Bytes that look random and are the same every time."""
    return hashlib.shake_256(label.encode()).digest(count)


def lp(*parts):
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def b64(data):
    return base64.b64encode(data).decode()


# Ed25519, RFC 8032 §5.1 and §6

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x % 2 != sign and x else x


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


IDENTITY = (0, 1)


def multiply(scalar, point):
    out = IDENTITY
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point = add(point, point)
        scalar >>= 1
    return out


def encode_point(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)


def torsion_points():
    """The eight points whose order divides 8."""
    y = 2
    while (x := recover_x(y, 0)) is None or multiply(4 * L, (x, y)) == IDENTITY:
        y += 1
    generator = multiply(L, (x, y))  # of order 8
    return [multiply(k, generator) for k in range(8)]


def ed25519_secret(private):
    digest = hashlib.sha512(private).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, digest[32:]


@functools.cache
def ed25519_public(private):
    return encode_point(multiply(ed25519_secret(private)[0], BASE))


def ed25519_challenge(r, public, message):
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


@functools.cache
def ed25519_sign(private, message):
    scalar, prefix = ed25519_secret(private)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    r = encode_point(multiply(nonce, BASE))
    s = (nonce + ed25519_challenge(r, ed25519_public(private), message) * scalar) % L
    return r + s.to_bytes(32, "little")


# Keys, FORMATS §2


def hkdf(seed, info):
    pseudorandom = hmac.digest(bytes(32), seed, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")


def phrase_of(entropy):
    words = resources.files("mnemonic").joinpath("wordlist/english.txt").read_text().split()
    bits = int.from_bytes(entropy) << 4 | sha256(entropy)[0] >> 4
    return " ".join(words[bits >> 11 * k & 2047] for k in reversed(range(12)))


def owner(seed, origin, i):
    index = struct.pack(">I", i)
    private = hkdf(seed, lp(b"consent-registry/v1/owner", origin.encode(), index))
    opening = hkdf(seed, lp(b"consent-registry/v1/opening", origin.encode(), index))
    public = ed25519_public(private)
    return {
        "private": private,
        "public": public,
        "opening": opening,
        "record_id": sha256(b"consent-registry/id/v1\0" + public)[:16],
        "owner_tag": sha256(b"consent-registry/owner/v1\0" + public),
    }


# Fingerprints, FORMATS §1


def unit_vector(label, dimension=512, length=1.0):
    """Float16 little-endian components of a vector of this length."""
    raw = struct.unpack(f">{dimension}H", fixed(label, 2 * dimension))
    centred = [value - 32767.5 for value in raw]
    norm = sum(value * value for value in centred) ** 0.5
    return struct.pack(f"<{dimension}e", *(length * value / norm for value in centred))


def encode_list(fingerprints):
    out = bytes([len(fingerprints)])
    for space in sorted(fingerprints):
        out += lp(space.encode()) + bytes([len(fingerprints[space])]) + lp(*fingerprints[space])
    return out


def image_digest(fingerprints):
    return sha256(b"consent-registry/image/v1\0" + encode_list(fingerprints))


# Registration, FORMATS §3


def encode_statement(uses, basis=1, given_for=0, valid_until=0):
    packed = sum(stance << 2 * use for use, stance in enumerate(uses))
    return struct.pack(">BBBBHI", 1, 1, packed, basis, given_for, valid_until)


def commitment(opening, statement, digest):
    return sha256(b"consent-registry/record/v1\0" + opening + lp(statement, digest))


def message(verb, origin, *parts):
    return lp(f"consent-registry/v1/{verb}".encode(), origin.encode(), *parts)


def encode_content(opening, statement, fingerprints):
    body = statement + encode_list(fingerprints)
    return (b"\x01" + opening + struct.pack(">I", len(body)) + body).ljust(8192, b"\0")


# Sealing, FORMATS §3 and RFC 9180 §4 and §5.1

KEM_IDS = {1: 0x647A, 2: 0x0020}


def labeled_extract(suite_id, salt, label, data):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + data, "sha256")


def labeled_expand(suite_id, key, label, data, length):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite_id + label + data
    return hmac.digest(key, info + b"\x01", "sha256")[:length]


def hpke_aead(suite, shared, info):
    suite_id = b"HPKE" + struct.pack(">HHH", KEM_IDS[suite], 0x0001, 0x0002)
    context = (
        b"\0"
        + labeled_extract(suite_id, b"", b"psk_id_hash", b"")
        + labeled_extract(suite_id, b"", b"info_hash", info)
    )
    secret = labeled_extract(suite_id, shared, b"secret", b"")
    key = labeled_expand(suite_id, secret, b"key", context, 32)
    nonce = labeled_expand(suite_id, secret, b"base_nonce", context, 12)
    return AESGCM(key), nonce


def x25519_public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def x25519(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )


def dhkem_shared(dh, enc, public):
    suite_id = b"KEM" + struct.pack(">H", KEM_IDS[2])
    extracted = labeled_extract(suite_id, b"", b"eae_prk", dh)
    return labeled_expand(suite_id, extracted, b"shared_secret", enc + public, 32)


def seal_info(origin, key_id, record_id, public):
    return lp(b"consent-registry/v1/seal", origin.encode(), key_id, record_id, public)


def sealing_key_id(suite, public):
    return sha256(b"consent-registry/sealing-key/v1\0" + bytes([suite]) + public)[:8]


def seal_x25519(plaintext, public, info, ephemeral):
    enc = x25519_public(ephemeral)
    aead, nonce = hpke_aead(2, dhkem_shared(x25519(ephemeral, public), enc, public), info)
    return enc + aead.encrypt(nonce, plaintext, b"")


def open_x25519(blob, private, info):
    enc, sealed = blob[:32], blob[32:]
    shared = dhkem_shared(x25519(private, enc), enc, x25519_public(private))
    aead, nonce = hpke_aead(2, shared, info)
    return aead.decrypt(nonce, sealed, b"")


def x_wing_public(private):
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64])
    return lattice.public_key().public_bytes_raw() + x25519_public(private[64:])


def open_x_wing(blob, private, info):
    enc, sealed = blob[:1120], blob[1120:]
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64]).decapsulate(enc[:1088])
    classical = x25519(private[64:], enc[1088:])
    label = rb"\.//^" + b"\\"
    combined = lattice + classical + enc[1088:] + x25519_public(private[64:]) + label
    aead, nonce = hpke_aead(1, hashlib.sha3_256(combined).digest(), info)
    return aead.decrypt(nonce, sealed, b"")


# Notes, c2sp.org/signed-note


def key_hash(name, public, algorithm=b"\x01"):
    return sha256(name.encode() + b"\n" + algorithm + public)[:4]


def vkey(name, public, algorithm=b"\x01"):
    return f"{name}+{key_hash(name, public, algorithm).hex()}+{b64(algorithm + public)}"


def signature_line(text, name, private):
    public = ed25519_public(private)
    return f"— {name} {b64(key_hash(name, public) + ed25519_sign(private, text.encode()))}\n"


def sign_note(text, name, private):
    return text + "\n" + signature_line(text, name, private)


def sealing_keys_text(origin, keys):
    """Keys: (suite, public, issue day, expiry day)."""
    ordered = sorted(keys, key=lambda key: sealing_key_id(key[0], key[1]))
    lines = [f"{suite} {issue} {expiry} {b64(public)}" for suite, public, issue, expiry in ordered]
    return "\n".join(["consent-registry/v1/sealing-keys", origin, *lines]) + "\n"


# Log and screening, FORMATS §5 and §6


def entry(kind, *parts):
    return b"cr1" + bytes([kind]) + b"".join(parts)


def u64(value):
    return struct.pack(">Q", value)


def bundle(entries):
    return b"".join(struct.pack(">H", len(item)) + item for item in entries)


def bitmap(bits):
    out = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        out[i // 8] |= bit << i % 8
    return bytes(out)


def block_content(count, columns):
    """Columns: space → (bits, fingerprints present, counts: b"" but for people)."""
    out = struct.pack(">IB", count, len(columns))
    for space in sorted(columns):
        bits, fingerprints, counts = columns[space]
        data = b"".join(fingerprints)
        out += lp(space.encode()) + bitmap(bits) + counts + struct.pack(">I", len(data)) + data
    return out


def verdict(stances, missing):
    if 2 in stances:
        return 1
    if missing:
        return 3
    return 2 if 1 in stances else 0


# The log's tree, RFC 6962 §2.1, word for word


def split(count):
    """The largest power of two below."""
    return 2 ** (len(bin(count - 1)) - 3)


def leaf(data):
    return sha256(b"\0" + data)


def tree_head(entries):
    if not entries:
        return sha256(b"")
    if len(entries) == 1:
        return leaf(entries[0])
    k = split(len(entries))
    return sha256(b"\1" + tree_head(entries[:k]) + tree_head(entries[k:]))


def audit_path(m, entries):
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*audit_path(m, entries[:k]), tree_head(entries[k:])]
    return [*audit_path(m - k, entries[k:]), tree_head(entries[:k])]


# Tiles, c2sp.org/tlog-tiles


def tile_path(level, index, width):
    """Level `entries` for a bundle."""
    digits = str(index)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def tiles_of(size):
    """(level, index, width) of all tiles of a tree."""
    out = []
    for level in range(8):
        out += [(level, index, 256) for index in range(size // 256 ** (level + 1))]
        if width := size // 256**level % 256:
            out.append((level, size // 256 ** (level + 1), width))
    return out


def tile(entries, level, index, width):
    span = 256**level
    starts = [(index * 256 + i) * span for i in range(width)]
    return b"".join(tree_head(entries[start : start + span]) for start in starts)


# Checkpoints and what is made of them, c2sp.org/tlog-checkpoint, tlog-cosignature, tlog-proof


def checkpoint_text(origin, size, root, extensions=()):
    return "\n".join([origin, str(size), b64(root), *extensions]) + "\n"


def cosignature_line(text, name, private, time):
    public = ed25519_public(private)
    signature = ed25519_sign(private, f"cosignature/v1\ntime {time}\n{text}".encode())
    return f"— {name} {b64(key_hash(name, public, b'\x04') + u64(time) + signature)}\n"


def tlog_proof(index, hashes, note, extra=b""):
    lines = ["c2sp.org/tlog-proof@v1"]
    lines += [f"extra {b64(extra)}"] if extra else []
    lines += [f"index {index}", *map(b64, hashes), "", note]
    return "\n".join(lines)


def quorum_met(quorum, cosigned):
    """Quorum: None, a witness's name, or (threshold, [quorums])."""
    if quorum is None:
        return True
    if isinstance(quorum, str):
        return quorum in cosigned
    threshold, members = quorum
    return sum(quorum_met(member, cosigned) for member in members) >= threshold
