"""Named corruptions: each takes the well-formed sample and spoils one thing.

`cases` yields `{name, format, description, input, error}`; README.md says what `input` is for each
format. `error` is the stable code of the one typed error that must come, and no other exception.
"""

import struct

import reference as ref
import samples

MALFORMED = "MALFORMED"
UNKNOWN_SPACE = "UNKNOWN_SPACE"
BAD_FINGERPRINT = "BAD_FINGERPRINT"
BAD_PHRASE = "BAD_PHRASE"
WEAK_KEY = "WEAK_KEY"
BAD_SIGNATURE = "BAD_SIGNATURE"
SEAL_ERROR = "SEAL_ERROR"
BAD_STATEMENT = "BAD_STATEMENT"
BAD_NOTE = "BAD_NOTE"


def flip(data, at, bit=0):
    """One bit turned over."""
    out = bytearray(data)
    out[at] ^= 1 << bit
    return bytes(out)


def case(of, name, error, description, value):
    return {
        "format": of,
        "name": name,
        "description": description,
        "input": value.hex() if isinstance(value, bytes) else value,
        "error": error,
    }


def lists():
    """(name, error, description, bytes) of fingerprint lists."""
    good = ref.encode_list(samples.FINGERPRINTS)
    sha = ref.fixed("sha256", 32)
    pdq = ref.fixed("pdq", 32)
    sha_space = ref.lp(b"sha256") + b"\x01" + ref.lp(sha)
    pdq_space = ref.lp(b"pdq-1") + b"\x01" + ref.lp(pdq)
    unit = samples.vector(1.0)

    def vectors(*values):
        return b"\x01" + ref.lp(b"sscd-1") + bytes([len(values)]) + ref.lp(*values)

    def with_component(bits):
        return vectors(struct.pack("<H", bits) + unit[2:])

    yield "empty", MALFORMED, "no byte at all", b""
    yield "no-space", MALFORMED, "zero spaces", b"\x00"
    yield "nine-spaces", MALFORMED, "more spaces than the limit", b"\x09" + good[1:]
    yield "one-space-too-few", MALFORMED, "counts fewer spaces than follow", b"\x02" + good[1:]
    yield "one-space-too-many", MALFORMED, "counts more spaces than follow", b"\x04" + good[1:]
    yield "ends-in-the-length-of-an-id", MALFORMED, "cut after 3 bytes", good[:3]
    yield "ends-in-an-id", MALFORMED, "cut within the first space id", good[:8]
    yield "ends-before-a-count", MALFORMED, "cut after the first space id", good[:10]
    yield "ends-in-a-fingerprint", MALFORMED, "the last byte is missing", good[:-1]
    yield "trailing-byte", MALFORMED, "a byte after the end", good + b"\0"
    yield (
        "descending-spaces",
        MALFORMED,
        "sha256 before pdq-1",
        b"\x02" + sha_space + pdq_space,
    )
    yield "a-space-twice", MALFORMED, "sha256 listed twice", b"\x02" + sha_space * 2
    yield (
        "unknown-space",
        UNKNOWN_SPACE,
        "a space id nobody defined",
        b"\x01" + ref.lp(b"sha257") + b"\x01" + ref.lp(sha),
    )
    yield (
        "space-in-capitals",
        UNKNOWN_SPACE,
        "ids are compared byte by byte",
        b"\x01" + ref.lp(b"SHA256") + b"\x01" + ref.lp(sha),
    )
    yield "empty-space-id", MALFORMED, "an id of no bytes", b"\x01" + ref.lp(b"") + b"\x01"
    yield (
        "endless-space-id",
        MALFORMED,
        "an id that claims 4 GiB",
        b"\x01\xff\xff\xff\xff" + good[5:],
    )
    yield (
        "no-fingerprint",
        MALFORMED,
        "a space without fingerprints; absent spaces are left out",
        b"\x01" + ref.lp(b"sha256") + b"\x00",
    )
    yield (
        "nine-fingerprints",
        MALFORMED,
        "more fingerprints of one space than the limit",
        b"\x01" + ref.lp(b"pdq-1") + b"\x09" + ref.lp(pdq) * 9,
    )
    yield (
        "short-fingerprint",
        BAD_FINGERPRINT,
        "31 bytes where 32 belong, the list padded by another space",
        b"\x02" + ref.lp(b"pdq-1") + b"\x01" + ref.lp(pdq[:-1]) + sha_space,
    )
    yield (
        "long-fingerprint",
        BAD_FINGERPRINT,
        "33 bytes where 32 belong",
        b"\x01" + ref.lp(b"sha256") + b"\x01" + ref.lp(sha + b"\0"),
    )
    yield (
        "fingerprint-of-another-space",
        BAD_FINGERPRINT,
        "a vector where a digest belongs",
        b"\x01" + ref.lp(b"sha256") + b"\x01" + ref.lp(unit),
    )
    yield (
        "endless-fingerprint",
        BAD_FINGERPRINT,
        "a fingerprint that claims 4 GiB",
        b"\x01" + ref.lp(b"sha256") + b"\x01\xff\xff\xff\xff" + sha,
    )
    yield (
        "longer-than-the-limit",
        MALFORMED,
        "well-formed but for its 8,236 bytes",
        vectors(*[unit] * 8),
    )
    yield "not-a-number", BAD_FINGERPRINT, "a vector with a NaN", with_component(0x7E00)
    yield "signalling-nan", BAD_FINGERPRINT, "a signalling NaN", with_component(0x7C01)
    yield "infinity", BAD_FINGERPRINT, "a vector with +inf", with_component(0x7C00)
    yield "minus-infinity", BAD_FINGERPRINT, "a vector with -inf", with_component(0xFC00)
    yield "zero-vector", BAD_FINGERPRINT, "all components zero", vectors(bytes(1024))
    yield "norm-too-small", BAD_FINGERPRINT, "norm 0.975", vectors(samples.vector(0.975))
    yield "norm-too-large", BAD_FINGERPRINT, "norm 1.025", vectors(samples.vector(1.025))
    yield (
        "second-vector-not-of-norm-one",
        BAD_FINGERPRINT,
        "the first is right",
        vectors(unit, samples.vector(0.5)),
    )


def statements():
    good = samples.STATEMENT
    encode = ref.encode_statement
    all_no = (2, 2, 2, 2)

    def put(at, value):
        return good[:at] + bytes([value]) + good[at + 1 :]

    yield "empty", "no byte at all", b""
    yield "truncated", "nine bytes", good[:-1]
    yield "trailing-byte", "eleven bytes", good + b"\0"
    yield "version-0", "a version that never was", put(0, 0)
    yield "version-2", "a version to come", put(0, 2)
    yield "vocabulary-0", "no vocabulary", put(1, 0)
    yield "vocabulary-2", "a vocabulary to come", put(1, 2)
    yield "all-unsaid", "says nothing", put(2, 0)
    for use, name in enumerate(
        ("data-mining", "ai-inference", "ai-training", "ai-generative-training")
    ):
        uses = tuple(3 if k == use else 2 for k in range(4))
        yield f"stance-3-for-{name}", "a stance that does not exist", encode(uses)
    yield "basis-0", "no basis", encode(all_no, basis=0)
    yield "basis-5", "a basis that does not exist", encode(all_no, basis=5)
    yield "basis-255", "a basis that does not exist", encode(all_no, basis=255)
    yield "purpose-unknown", "first code after the table", encode(all_no, given_for=20)
    yield "purpose-65535", "the last code there can be", encode(all_no, given_for=65_535)


def contents():
    good = samples.CONTENT
    listed = ref.encode_list(samples.FINGERPRINTS)
    length = 10 + len(listed)
    end = 37 + length

    def with_length(value):
        return good[:33] + struct.pack(">I", value) + good[37:]

    def with_body(body):
        return (good[:33] + struct.pack(">I", len(body)) + body).ljust(8192, b"\0")

    unnormalised = {**samples.FINGERPRINTS, "sscd-1": [samples.vector(1.5)]}
    yield "empty", MALFORMED, "no byte at all", b""
    yield "one-byte-short", MALFORMED, "8,191 bytes", good[:-1]
    yield "one-byte-long", MALFORMED, "8,193 bytes", good + b"\0"
    yield "version-0", MALFORMED, "a version that never was", b"\0" + good[1:]
    yield "version-2", MALFORMED, "a version to come", b"\2" + good[1:]
    yield "padding-first-byte", MALFORMED, "padding that is not zero", flip(good, end)
    yield "padding-last-byte", MALFORMED, "padding that is not zero", flip(good, 8191, 7)
    yield "length-beyond-the-end", MALFORMED, "length 8,156", with_length(8_192 - 37 + 1)
    yield "length-4-gib", MALFORMED, "the greatest length there can be", with_length(2**32 - 1)
    yield "length-zero", MALFORMED, "no statement, no list", with_length(0)
    yield (
        "length-one-short",
        MALFORMED,
        "the list's last byte counts as padding",
        with_length(length - 1),
    )
    yield "length-one-long", MALFORMED, "a byte of padding counts as list", with_length(length + 1)
    yield "no-list", MALFORMED, "a statement and nothing else", with_body(samples.STATEMENT)
    yield "statement-says-nothing", BAD_STATEMENT, "all uses unsaid", good[:39] + b"\0" + good[40:]
    yield (
        "list-of-no-space",
        MALFORMED,
        "zero spaces",
        with_body(samples.STATEMENT + b"\0"),
    )
    yield (
        "unknown-space",
        UNKNOWN_SPACE,
        "a space id nobody defined",
        with_body(samples.STATEMENT + listed.replace(b"sha256", b"sha257")),
    )
    yield (
        "vector-not-of-norm-one",
        BAD_FINGERPRINT,
        "norm 1.5",
        ref.encode_content(samples.OWNER["opening"], samples.STATEMENT, unnormalised),
    )


def sealed(suite, private, public, blob, enc):
    """(name, description, changes to the good input) of sealed blobs of one suite."""
    other = samples.OTHER_OWNER
    yield "empty", "no byte at all", {"sealed": b""}
    yield "truncated", "the last byte is missing", {"sealed": blob[:-1]}
    yield "trailing-byte", "a byte after the end", {"sealed": blob + b"\0"}
    yield "only-the-encapsulation", "no ciphertext", {"sealed": blob[:enc]}
    yield "first-byte-of-encapsulation", "a bit turned over", {"sealed": flip(blob, 0)}
    yield "last-byte-of-encapsulation", "a bit turned over", {"sealed": flip(blob, enc - 1)}
    yield "first-byte-of-ciphertext", "a bit turned over", {"sealed": flip(blob, enc)}
    yield "last-byte-of-ciphertext", "a bit turned over", {"sealed": flip(blob, len(blob) - 17)}
    yield "last-byte-of-tag", "a bit turned over", {"sealed": flip(blob, len(blob) - 1, 7)}
    yield (
        "small-order-encapsulation",
        "an X25519 share of zeros",
        {"sealed": blob[: enc - 32] + bytes(32) + blob[enc:]},
    )
    yield "all-zero", "zeros of the right length", {"sealed": bytes(len(blob))}
    yield "other-registry", "sealed for another origin", {"origin": "other.example"}
    yield "other-record", "sealed for another record", {"record_id": other["record_id"]}
    yield "other-owner", "sealed for another owner key", {"owner_public_key": other["public"]}
    yield "other-key-id", "sealed under another key id", {"key_id": bytes(8)}
    yield (
        "other-private-key",
        "sealed to another key",
        {"private_key": private[:-32] + ref.fixed("another", 32)},
    )


def blobs(recorded):
    for suite, private, blob, enc in (
        (1, recorded["private"], recorded["blob"], 1120),
        (2, samples.X25519_PRIVATE, samples.X25519_BLOB, 32),
    ):
        public = ref.x_wing_public(private) if suite == 1 else ref.x25519_public(private)
        good = {
            "suite": suite,
            "private_key": private,
            "key_id": ref.sealing_key_id(suite, public),
            "origin": samples.ORIGIN,
            "record_id": samples.OWNER["record_id"],
            "owner_public_key": samples.OWNER["public"],
            "sealed": blob,
        }
        for name, description, change in sealed(suite, private, public, blob, enc):
            fields = {
                field: value.hex() if isinstance(value, bytes) else value
                for field, value in (good | change).items()
            }
            fields["sealed"] = ref.b64((good | change)["sealed"])
            yield f"suite-{suite}-{name}", description, fields


def verifier_keys():
    good = samples.VKEY
    name, digest, key = good.split("+", 2)
    public = ref.ed25519_public(samples.SIGNER_PRIVATE)

    def of(name, public, algorithm=b"\x01"):
        digest = ref.sha256(name.encode() + b"\n" + algorithm + public)[:4].hex()
        return f"{name}+{digest}+{ref.b64(algorithm + public)}"

    yield "empty", "no character at all", ""
    yield "two-parts", "the key is missing", f"{name}+{digest}"
    yield "wrong-hash", "the hash of another key", f"{name}+00000000+{key}"
    yield "hash-in-capitals", "the hash is lower-case hex", f"{name}+{digest.upper()}+{key}"
    yield "no-name", "an empty name", of("", public)
    yield "name-with-a-space", "a space in the name", of("a b", public)
    yield "ecdsa", "an algorithm byte of another kind", of(name, public, b"\x02")
    yield "short-key", "31 bytes of key", of(name, public[:-1])
    yield "small-order-key", "the neutral point", of(name, b"\x01" + bytes(31))
    yield "other-alphabet", "a character that base64 does not have", good[:-1] + "!"
    yield "trailing-newline", "a newline after the key", good + "\n"


def signed_notes():
    text = "first line\nsecond line\n"
    good = samples.signed(text)
    body, line = good.split("\n\n")
    encoded = line.split(" ")[2].rstrip("\n")
    raw = ref.base64.b64decode(encoded)

    def with_line(value):
        return f"{body}\n\n{value}\n"

    def with_signature(data):
        return with_line(f"— {samples.SIGNER_NAME} {ref.b64(data)}")

    yield "empty", "no character at all", ""
    yield "no-signature", "text only", text
    yield "no-signature-line", "an empty line and nothing after it", text + "\n"
    yield "no-empty-line", "the signature follows at once", text + line
    yield "no-last-newline", "cut after the signature", good[:-1]
    yield "trailing-newline", "an empty line after the signatures", good + "\n"
    yield "trailing-text", "text after the signatures", good + "more\n"
    yield "text-changed", "another first letter", "F" + good[1:]
    yield "line-added", "a line the signer never saw", "zeroth line\n" + good
    yield (
        "empty-text",
        "a signature of nothing",
        "\n" + ref.signature_line("\n", samples.SIGNER_NAME, samples.SIGNER_PRIVATE),
    )
    yield "signature-changed", "a bit turned over", with_signature(flip(raw, 20))
    yield "signature-truncated", "63 bytes of signature", with_signature(raw[:-1])
    yield "signature-longer", "65 bytes of signature", with_signature(raw + b"\0")
    yield "only-a-key-hash", "four bytes and no signature", with_signature(raw[:4])
    yield "other-key-hash", "the hash of another key of that name", with_signature(flip(raw, 0))
    yield "other-name", "another signer's name", with_line(f"— other.example {encoded}")
    yield "hyphen", "a hyphen for the dash", with_line(f"- {samples.SIGNER_NAME} {encoded}")
    yield "two-spaces", "two spaces in a line", with_line(f"—  {samples.SIGNER_NAME} {encoded}")
    yield (
        "no-padding",
        "base64 without padding",
        with_line(f"— {samples.SIGNER_NAME} {encoded.rstrip('=')}"),
    )
    yield "signed-twice", "one signer's line twice", good + line
    yield "carriage-returns", "lines end in CR LF", good.replace("\n", "\r\n")
    yield "control-character", "a NUL in signed text", samples.signed("a\0b\n")
    yield "tab", "a tab in signed text", samples.signed("a\tb\n")
    yield (
        "hundred-and-one-signatures",
        "one more than the limit",
        good + "— other.example AAAAAAA=\n" * 100,
    )
    yield "longer-than-the-limit", "65,536 letters of text", samples.signed("a" * 65_536 + "\n")
    yield (
        "other-signer",
        "well signed, by a key nobody trusts",
        ref.sign_note(text, samples.SIGNER_NAME, ref.fixed("another signer", 32)),
    )


def sealing_notes():
    """(name, description, note): all but the first two are signed by the right key."""
    good = ref.sealing_keys_text(samples.ORIGIN, samples.SEALING_KEYS)
    title, origin, *lines = good.rstrip("\n").split("\n")
    (x_wing_line,) = [line for line in lines if line.startswith("1 ")]
    others = [line for line in lines if line != x_wing_line]
    x_wing = samples.SEALING_KEYS[0][1]
    x25519 = samples.SEALING_KEYS[1][1]

    def signed(*text):
        return samples.signed("\n".join(text) + "\n")

    def one_key(line):
        return signed(title, origin, line)

    def key_line(suite, public, days="20000 20030"):
        return one_key(f"{suite} {days} {ref.b64(public)}")

    many = [(2, ref.x25519_public(ref.fixed(f"many {k}", 32)), 20_000, 20_030) for k in range(17)]
    yield (
        "other-signer",
        "signed by a key nobody trusts",
        ref.sign_note(good, samples.SIGNER_NAME, ref.fixed("another signer", 32)),
    )
    yield (
        "key-changed",
        "a key exchanged after signing",
        samples.signed(good).replace(
            ref.b64(x25519), ref.b64(ref.x25519_public(ref.fixed("attacker", 32)))
        ),
    )
    yield "other-origin", "keys of another registry", signed(title, "other.example", *lines)
    yield (
        "other-title",
        "a note for something else",
        signed("consent-registry/v2/sealing-keys", origin, *lines),
    )
    yield "title-only", "neither origin nor keys", signed(title)
    yield "no-keys", "title and origin only", signed(title, origin)
    yield (
        "seventeen-keys",
        "more than the limit",
        samples.signed(ref.sealing_keys_text(samples.ORIGIN, many)),
    )
    yield "a-key-twice", "one line twice", signed(title, origin, others[0], others[0])
    yield "unordered", "descending key ids", signed(title, origin, *reversed(lines))
    yield "empty-line", "an empty line at the end", signed(title, origin, *lines, "")
    yield "unknown-suite", "suite 3", key_line(3, x25519)
    yield "leading-zero", "a day with a leading zero", key_line(2, x25519, "020000 20030")
    yield "negative-day", "a day below zero", key_line(2, x25519, "-1 20030")
    yield "day-out-of-range", "a day beyond 32 bits", key_line(2, x25519, "20000 4294967296")
    yield (
        "day-with-an-underscore",
        "what Python reads as a number",
        key_line(2, x25519, "20_000 20030"),
    )
    yield "arabic-digits", "digits, but not ASCII", key_line(2, x25519, "٢٠٠٠٠ 20030")
    yield "expires-before-issue", "days the wrong way round", key_line(2, x25519, "20030 20000")
    yield "expires-at-issue", "a key for no day", key_line(2, x25519, "20000 20000")
    yield "extra-field", "a field after the key", one_key(others[0] + " extra")
    yield "two-spaces", "two spaces between fields", one_key(others[0].replace(" ", "  ", 1))
    yield "base64-without-padding", "the key's padding is missing", one_key(others[0].rstrip("="))
    yield "x25519-short", "31 bytes of key", key_line(2, x25519[:-1])
    yield "x25519-zero", "the point of order 4 that has u = 0", key_line(2, bytes(32))
    yield "x25519-one", "the point of order 1 or 2 that has u = 1", key_line(2, b"\x01" + bytes(31))
    yield (
        "x25519-order-8",
        "a point of order 8",
        key_line(
            2, bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
        ),
    )
    yield "x25519-minus-one", "u = p - 1", key_line(2, (ref.P - 1).to_bytes(32, "little"))
    yield "x25519-non-canonical", "u = p + 9", key_line(2, (ref.P + 9).to_bytes(32, "little"))
    yield "x25519-high-bit", "bit 255 is set", key_line(2, flip(x25519, 31, 7))
    yield "x-wing-short", "1,215 bytes of key", key_line(1, x_wing[:-1])
    yield "x-wing-under-suite-2", "a key of the other suite", key_line(2, x_wing)
    yield "x25519-under-suite-1", "a key of the other suite", key_line(1, x25519)
    yield (
        "x-wing-coefficient-too-large",
        "ML-KEM coefficients of 4,095",
        key_line(1, b"\xff" * 384 + x_wing[384:]),
    )
    yield "x-wing-small-order", "its X25519 half is zero", key_line(1, x_wing[:1184] + bytes(32))


def weak_keys():
    """(name, description, public key)."""
    orders = {0: 1, 1: 8, 2: 4, 3: 8, 4: 2, 5: 8, 6: 4, 7: 8}
    for k, point in enumerate(ref.torsion_points()):
        yield f"small-order-{k}", f"a point of order {orders[k]}", ref.encode_point(point)
    p = ref.P
    high = 1 << 255
    for name, description, value in (
        ("x-zero-with-sign", "the neutral point with a sign x = 0 can not have", 1 | high),
        ("minus-one-with-sign", "y = -1 with a sign x = 0 can not have", p - 1 | high),
        ("y-is-p", "0 written as p", p),
        ("y-is-p-with-sign", "0 written as p, sign set", p | high),
        ("y-is-p-plus-1", "1 written as p + 1", p + 1),
        ("y-is-p-plus-1-with-sign", "1 written as p + 1, sign set", p + 1 | high),
        ("y-is-p-plus-3", "a y that would be a full-order point as 3", p + 3),
        ("y-is-p-plus-18", "the greatest y that 255 bits hold", p + 18),
        ("all-ones", "the greatest y, sign set", 2**256 - 1),
    ):
        yield name, description, value.to_bytes(32, "little")
    yield "empty", "no byte at all", b""
    yield "short", "31 bytes", samples.OWNER["public"][:-1]
    yield "long", "33 bytes", samples.OWNER["public"] + b"\0"


def forgery(public):
    """A message and signature that OpenSSL accepts under a small-order key, with no private key.

    R = [1]B and S = 1 verify where [h]A is neutral: for h divisible by 8, whatever the order of A.
    """
    r = ref.encode_point(ref.BASE)
    k = 0
    while ref.ed25519_challenge(r, public, message := b"forged %d" % k) % 8:
        k += 1
    return message, r + (1).to_bytes(32, "little")


def owner_keys():
    for name, description, public in weak_keys():
        message, signature = b"forged", bytes(64)
        if len(public) == 32:
            message, signature = forgery(public)
        yield (
            name,
            description,
            {
                "public": public.hex(),
                "message": message.hex(),
                "signature": signature.hex(),
            },
        )


def signatures():
    owner = samples.OWNER
    message = ref.message("withdraw", samples.ORIGIN, samples.COMMITMENT)
    good = ref.ed25519_sign(owner["private"], message)
    s = int.from_bytes(good[32:], "little")

    def fields(signature=good, public=owner["public"], message=message):
        return {"public": public.hex(), "message": message.hex(), "signature": signature.hex()}

    def with_s(value):
        return fields(good[:32] + value.to_bytes(32, "little"))

    yield "empty", "no byte at all", fields(b"")
    yield "truncated", "63 bytes", fields(good[:-1])
    yield "trailing-byte", "65 bytes", fields(good + b"\0")
    yield "r-changed", "a bit of R turned over", fields(flip(good, 0))
    yield "s-changed", "a bit of S turned over", fields(flip(good, 32))
    yield "s-plus-l", "S + L: the same signature to a careless verifier", with_s(s + ref.L)
    yield "s-plus-2-l", "S + 2 L", with_s(s + 2 * ref.L)
    yield "s-is-l", "S = L", with_s(ref.L)
    yield "s-all-ones", "the greatest S", with_s(2**256 - 1)
    yield "all-zero", "64 zeros", fields(bytes(64))
    yield "message-changed", "a bit of the message turned over", fields(message=flip(message, 9))
    yield "message-empty", "another message", fields(message=b"")
    yield (
        "other-verb",
        "signed to withdraw, shown to register",
        fields(
            message=ref.message("register", samples.ORIGIN, owner["record_id"], samples.COMMITMENT)
        ),
    )
    yield (
        "other-registry",
        "signed for another registry",
        fields(message=ref.message("withdraw", "other.example", samples.COMMITMENT)),
    )
    yield "other-owner", "by another key", fields(public=samples.OTHER_OWNER["public"])
    yield "not-on-the-curve", "a key whose y has no x", fields(public=b"\x02" + bytes(31))


def entries():
    register, withdraw = samples.REGISTER_ENTRY, samples.WITHDRAW_ENTRY
    yield "empty", "no byte at all", b""
    yield "magic-only", "no type", b"cr1"
    yield "other-magic", "an entry of another log", b"cr2" + register[3:]
    for kind in (0, 10, 255):
        yield f"type-{kind}", "a type this version does not know", ref.entry(kind, bytes(64))
    yield "register-truncated", "63 bytes of body", register[:-1]
    yield "register-trailing-byte", "65 bytes of body", register + b"\0"
    yield "withdraw-truncated", "a signature of 63 bytes", withdraw[:-1]
    yield "withdraw-trailing-byte", "a byte after the signature", withdraw + b"\0"
    yield "withdraw-index-too-large", "2^53", ref.entry(2, ref.u64(2**53), withdraw[12:])
    yield "erase-reason-0", "no reason", ref.entry(3, ref.u64(7), b"\0")
    yield "erase-reason-6", "a reason that does not exist", ref.entry(3, ref.u64(7), b"\x06")
    yield "erase-truncated", "no reason byte", ref.entry(3, ref.u64(7))
    yield "erase-index-too-large", "2^64 - 1", ref.entry(3, b"\xff" * 8, b"\x01")
    yield "day-truncated", "three bytes of day", ref.entry(8, b"\0\0\1")
    yield "day-trailing-byte", "five bytes of day", ref.entry(8, b"\0\0\1\0\0")
    for name, good in (
        ("session", samples.SESSION_ENTRY),
        ("close", samples.CLOSE_ENTRY),
        ("certify", samples.CERTIFY_ENTRY),
        ("snapshot", samples.SNAPSHOT_ENTRY),
        ("dispute", samples.DISPUTE_ENTRY),
    ):
        yield f"{name}-truncated", "the last byte is missing", good[:-1]
        yield f"{name}-trailing-byte", "a byte after the last hash", good + b"\0"
    session, hashed = samples.SESSION_ENTRY, bytes(32)
    yield "session-of-nothing", "no row", session[:68] + ref.u64(0) + session[76:]
    yield "session-too-large", "2^53 rows", session[:68] + ref.u64(2**53) + session[76:]
    yield "close-index-too-large", "2^53", ref.entry(5, ref.u64(2**53), ref.u64(13), hashed)
    yield "close-log-size-too-large", "2^53", ref.entry(5, ref.u64(12), ref.u64(2**53), hashed)
    yield "certify-index-too-large", "2^64 - 1", ref.entry(6, b"\xff" * 8, hashed)
    dispute = samples.DISPUTE_ENTRY
    yield "dispute-index-too-large", "2^53", dispute[:4] + ref.u64(2**53) + dispute[12:]
    yield "dispute-outcome-0", "no outcome", dispute[:-2] + b"\0\4"
    yield "dispute-outcome-4", "an outcome that does not exist", dispute[:-2] + b"\4\4"
    yield "dispute-reason-0", "no reason", dispute[:-1] + b"\0"
    yield "dispute-reason-6", "a reason that does not exist", dispute[:-1] + b"\6"
    yield "dispute-reason-of-another", "stands, for another image", dispute[:-2] + b"\1\4"
    yield "snapshot-serial-too-large", "2^53", ref.entry(7, ref.u64(2**53), ref.u64(1), hashed)
    yield "snapshot-log-size-too-large", "2^53", ref.entry(7, ref.u64(1), ref.u64(2**53), hashed)


def bundles():
    good = ref.bundle([samples.REGISTER_ENTRY, samples.WITHDRAW_ENTRY])
    yield "half-a-length", "one byte", b"\0"
    yield "entry-missing", "a length and nothing after it", b"\0\x44"
    yield "entry-truncated", "the last byte is missing", good[:-1]
    yield "trailing-byte", "a byte after the last entry", good + b"\0"


def withdrawals():
    register, withdraw = samples.REGISTER_ENTRY, samples.WITHDRAW_ENTRY
    other = samples.OTHER_OWNER
    neutral = b"\x01" + bytes(31)

    def fields(withdraw=withdraw, register=register, origin=samples.ORIGIN):
        return {"origin": origin, "withdraw": withdraw.hex(), "register": register.hex()}

    signed_by_other = ref.ed25519_sign(
        other["private"], ref.message("withdraw", samples.ORIGIN, samples.COMMITMENT)
    )
    yield "signature-changed", BAD_SIGNATURE, "a bit turned over", fields(flip(withdraw, 50))
    yield "other-registry", BAD_SIGNATURE, "of another registry", fields(origin="other.example")
    yield (
        "other-record",
        BAD_SIGNATURE,
        "signed for another commitment",
        fields(register=ref.entry(1, bytes(32), samples.OWNER["owner_tag"])),
    )
    yield (
        "other-owner",
        BAD_SIGNATURE,
        "well signed by someone else",
        fields(ref.entry(2, ref.u64(7), other["public"], signed_by_other)),
    )
    yield (
        "small-order-owner",
        WEAK_KEY,
        "registered under the neutral point, which any signature fits",
        fields(
            ref.entry(
                2, ref.u64(7), neutral, ref.encode_point(ref.BASE), (1).to_bytes(32, "little")
            ),
            ref.entry(1, samples.COMMITMENT, ref.sha256(b"consent-registry/owner/v1\0" + neutral)),
        ),
    )


def columns():
    two = ref.bitmap([1, 0, 1])
    data = ref.fixed("column", 64)

    def fields(space="sha256", count=3, present=two, fingerprints=data, counts=None):
        return {
            "space": space,
            "count": count,
            "present": ref.b64(present),
            "fingerprints": ref.b64(fingerprints),
            "counts": None if counts is None else ref.b64(counts),
        }

    faces = b"".join(ref.unit_vector(f"face {k}", 128) for k in range(3))

    def people(counts, fingerprints=faces):
        return fields("face-1", fingerprints=fingerprints, counts=counts)

    vectors = samples.vector(1.0) + samples.vector(1.5)
    yield "unknown-space", UNKNOWN_SPACE, "a space id nobody defined", fields("sha257")
    yield "no-image", MALFORMED, "a block of none", fields(count=0, present=b"", fingerprints=b"")
    yield "negative-count", MALFORMED, "a count below zero", fields(count=-1)
    yield (
        "too-many-images",
        MALFORMED,
        "10,001 images",
        fields(count=10_001, present=bytes(1251), fingerprints=b""),
    )
    yield "bitmap-too-short", MALFORMED, "no byte of presence", fields(present=b"")
    yield "bitmap-too-long", MALFORMED, "two bytes for three images", fields(present=two + b"\0")
    yield "reserved-bit", MALFORMED, "a bit for the fourth of three", fields(present=b"\x0d")
    yield "one-fingerprint-missing", BAD_FINGERPRINT, "one for two", fields(fingerprints=data[:32])
    yield "one-byte-missing", BAD_FINGERPRINT, "63 bytes", fields(fingerprints=data[:-1])
    yield (
        "one-fingerprint-too-many",
        BAD_FINGERPRINT,
        "three for two",
        fields(fingerprints=data + bytes(32)),
    )
    yield (
        "vector-not-of-norm-one",
        BAD_FINGERPRINT,
        "the second has norm 1.5",
        fields("sscd-1", fingerprints=vectors),
    )
    yield (
        "vector-not-a-number",
        BAD_FINGERPRINT,
        "NaN in the first",
        fields("sscd-1", fingerprints=b"\x00\x7e" + vectors[2:1024] + vectors[:1024]),
    )
    yield "counts-missing", MALFORMED, "people, and not said how many", people(None)
    yield (
        "counts-in-a-space-of-works",
        MALFORMED,
        "one each, said where it goes without saying",
        fields(counts=b"\x01\x01"),
    )
    yield "counts-too-few", MALFORMED, "a count for one of two images", people(b"\x03")
    yield "counts-too-many", MALFORMED, "a count for an absent image", people(b"\x01\x00\x02")
    yield "too-many-faces", MALFORMED, "65 in one image", people(b"\x41\x00", bytes(65 * 256))
    yield "one-face-missing", BAD_FINGERPRINT, "three for four", people(b"\x01\x03")
    yield "one-face-too-many", BAD_FINGERPRINT, "three for two", people(b"\x01\x01")
    yield (
        "face-not-of-norm-one",
        BAD_FINGERPRINT,
        "the last of an image has norm 1.5",
        people(b"\x02\x01", faces[:512] + ref.unit_vector("face", 128, 1.5)),
    )


def bitmaps():
    yield "too-short", "one byte for nine bits", {"count": 9, "bytes": "ff"}
    yield "too-long", "two bytes for eight bits", {"count": 8, "bytes": "ff00"}
    yield "byte-for-none", "a byte for no bits", {"count": 0, "bytes": "00"}
    yield "first-reserved-bit", "bit 1 of 1", {"count": 1, "bytes": "02"}
    yield "last-reserved-bit", "bit 15 of 9", {"count": 9, "bytes": "0080"}
    yield "negative-count", "a count below zero", {"count": -8, "bytes": ""}


def base64_texts():
    yield "no-padding", "two characters for a byte", "AA"
    yield "half-padding", "one padding character for two", "AA="
    yield "three-padding", "one padding character too many", "AA==="
    yield "only-padding", "padding of nothing", "===="
    yield "padding-of-a-whole-group", "padding where none belongs", "AAAA="
    yield "padding-of-a-whole-group-twice", "padding where none belongs", "AAAA=="
    yield "a-group-of-padding", "padding where none belongs", "AAAA===="
    yield "padding-first", "padding before data", "=AAA"
    yield "padding-within", "two texts in one", "AA==AA=="
    yield "five-characters", "a group of one", "AAAAA"
    yield "unused-bits-1-byte", "four bits that must be zero", "AB=="
    yield "unused-bits-2-bytes", "two bits that must be zero", "AAB="
    yield "unused-bits-at-the-end", "right up to the last group", "AAAAAAB="
    yield "url-alphabet", "minus and underscore", "-_-_"
    yield "newline-within", "wrapped lines", "AAAA\nAAAA"
    yield "newline-after", "a newline at the end", "AAAA\n"
    yield "space", "a space", "AA AA"
    yield "not-ascii", "a letter that looks like A", "\u0391AAA"
    yield "nul", "a NUL", "AAA\0"


def origins():
    yield "empty", "no character at all", ""
    yield "space", "a space within", "registry example"
    yield "plus", "a plus sign, which separates parts of a verifier key", "registry+example"
    yield "newline", "a newline at the end", "registry.example\n"
    yield "tab", "a tab", "registry\texample"
    yield "no-break-space", "a Unicode space", "registry\u00a0example"
    yield "not-ascii", "looks like registry.example, is not", "r\u0435gistry.example"
    yield "nul", "a NUL", "registry\0"
    yield "delete", "U+007F", "registry\x7f"
    yield "too-long", "256 characters", "a" * 256


def phrases():
    words = ref.phrase_of(samples.SEED).split()
    yield "empty", "no word", ""
    yield "eleven-words", "one word too few", " ".join(words[:-1])
    yield "thirteen-words", "one word too many", " ".join([*words, words[0]])
    yield "twenty-four-words", "a phrase of 256 bits is not ours", "abandon " * 23 + "art"
    yield (
        "unknown-word",
        "the third word is not in the list",
        " ".join([*words[:2], "consentt", *words[3:]]),
    )
    yield (
        "four-letter-abbreviation",
        "abbreviations are not expanded",
        " ".join([*words[:-1], words[-1][:3]]),
    )
    yield "wrong-checksum", "twelve words of the list", "abandon " * 11 + "abandon"
    yield "other-order", "the first two words exchanged", " ".join([words[1], words[0], *words[2:]])
    yield "commas", "commas for spaces", ",".join(words)
    yield "other-language", "twelve Spanish words", "ábaco " * 11 + "abierto"
    yield "nul", "a NUL after the last word", " ".join(words) + "\0"
    yield "very-long", "1,200 letters", "a" * 1_200


def registrations():
    good = samples.registration_json()
    key = ref.b64(b"\x01" + bytes(31))
    weak_id = ref.b64(ref.sha256(b"consent-registry/id/v1\0\x01" + bytes(31))[:16])

    def changed(name, data):
        return good | {name: ref.b64(data)}

    yield "null", MALFORMED, "no object", None
    yield "list", MALFORMED, "a list of the fields", list(good.values())
    yield "string", MALFORMED, "text", "registration"
    yield "empty-object", MALFORMED, "no field", {}
    yield (
        "field-missing",
        MALFORMED,
        "no signature",
        {name: value for name, value in good.items() if name != "signature"},
    )
    yield "extra-field", MALFORMED, "a name, of all things", good | {"name": "Alice"}
    yield "null-field", MALFORMED, "a field that is null", good | {"commitment": None}
    yield "number-field", MALFORMED, "a field that is a number", good | {"commitment": 1}
    yield (
        "non-canonical-base64",
        MALFORMED,
        "padding is missing",
        good | {"recordId": good["recordId"].rstrip("=")},
    )
    for name in good:
        data = ref.base64.b64decode(good[name])
        error = MALFORMED
        yield f"{name}-short", error, "one byte too few", changed(name, data[:-1])
        yield f"{name}-long", error, "one byte too many", changed(name, data + b"\0")
    yield (
        "other-record-id",
        MALFORMED,
        "the id of another owner",
        changed("recordId", samples.OTHER_OWNER["record_id"]),
    )
    yield (
        "small-order-owner",
        WEAK_KEY,
        "the neutral point",
        good
        | {
            "ownerPublicKey": key,
            "recordId": weak_id,
        },
    )


def cases(recorded):
    """Every corruption."""
    with_error = {
        "fingerprint-list": lists(),
        "record-content": contents(),
        "withdrawal": withdrawals(),
        "column": columns(),
        "registration": registrations(),
    }
    for of, values in with_error.items():
        for name, error, description, value in values:
            yield case(of, name, error, description, value)
    of_one_error = {
        ("statement", BAD_STATEMENT): statements(),
        ("sealed-blob", SEAL_ERROR): blobs(recorded),
        ("verifier-key", BAD_NOTE): verifier_keys(),
        ("signed-note", BAD_NOTE): signed_notes(),
        ("sealing-keys-note", BAD_NOTE): sealing_notes(),
        ("owner-key", WEAK_KEY): owner_keys(),
        ("signature", BAD_SIGNATURE): signatures(),
        ("log-entry", MALFORMED): entries(),
        ("entry-bundle", MALFORMED): bundles(),
        ("bitmap", MALFORMED): bitmaps(),
        ("base64", MALFORMED): base64_texts(),
        ("origin", MALFORMED): origins(),
        ("phrase", BAD_PHRASE): phrases(),
    }
    for (of, error), values in of_one_error.items():
        for name, description, value in values:
            yield case(of, name, error, description, value)
