"""Named corruptions of what the transparency log is made of; see `corrupt.py`."""

import reference as ref
import samples
import tlog
from corrupt import BAD_NOTE, BAD_STATEMENT, MALFORMED, WEAK_KEY, case, flip

BAD_CHECKPOINT = "BAD_CHECKPOINT"
BAD_POLICY = "BAD_POLICY"
BAD_PROOF = "BAD_PROOF"


def tile_paths():
    yield from (
        ("empty", "no character at all", ""),
        ("absolute", "a slash before it", "/tile/0/000"),
        ("trailing-slash", "a slash after it", "tile/0/000/"),
        ("trailing-newline", "a newline after it", "tile/0/000\n"),
        ("one-digit", "an index that is not padded", "tile/0/0"),
        ("four-digits", "a group of four", "tile/0/0000"),
        ("level-with-a-leading-zero", "level 00", "tile/00/000"),
        ("level-of-no-tree", "a level that 2^63 leaves do not reach", "tile/8/000.p/1"),
        ("level-below-zero", "level -1", "tile/-1/000"),
        ("level-data", "an older name of bundles", "tile/data/000"),
        ("group-of-zeros-first", "an index with leading groups", "tile/0/x000/001"),
        ("ends-in-an-x-group", "the last group has no x", "tile/0/x001"),
        ("group-without-x", "all but the last have an x", "tile/0/001/000"),
        ("x-in-capitals", "a capital X", "tile/0/X001/000"),
        ("width-zero", "an empty tile", "tile/0/000.p/0"),
        ("width-256", "a full tile has no suffix", "tile/0/000.p/256"),
        ("width-257", "more than a tile holds", "tile/0/000.p/257"),
        ("width-with-a-leading-zero", "width 01", "tile/0/000.p/01"),
        ("no-width", "a suffix without width", "tile/0/000.p/"),
        ("not-ascii", "digits, but not ASCII", "tile/0/\u0660\u0660\u0660"),
        ("index-too-large", "beyond 2^63 leaves", "tile/0/" + "x999/" * 6 + "999"),
        ("full-tile-of-no-tree", "2^64 leaves", "tile/7/000"),
        ("bundle-width-256", "a full bundle has no suffix", "tile/entries/000.p/256"),
        ("bundle-group-of-zeros-first", "an index with leading groups", "tile/entries/x000/001"),
    )


def tiles():
    def of(width, data):
        return {"width": width, "bytes": data.hex()}

    good = b"".join(map(ref.leaf, tlog.ENTRIES))
    yield "empty", "no hash", of(0, b"")
    yield "one-byte-short", "a hash of 31 bytes", of(9, good[:-1])
    yield "one-byte-long", "a byte after the last hash", of(9, good + b"\0")
    yield "one-hash-short", "eight for nine", of(9, good[:-32])
    yield "one-hash-long", "nine for eight", of(8, good)
    yield "too-wide", "257 hashes", of(257, bytes(257 * 32))
    yield "negative-width", "a width below zero", of(-1, b"")


def sized_bundles():
    def of(width, entries):
        return {"width": width, "bytes": ref.bundle(entries).hex()}

    yield "empty", "no entry", of(0, [])
    yield "one-entry-short", "eight for nine", of(9, tlog.ENTRIES[:-1])
    yield "one-entry-long", "nine for eight", of(8, tlog.ENTRIES)
    yield "too-wide", "257 entries", of(257, [b""] * 257)


def checkpoint_texts():
    """Texts of checkpoints that the right log signed."""
    root = ref.b64(tlog.ROOT)
    lines = [tlog.ORIGIN, "9", root]

    def of(*lines):
        return "".join(f"{line}\n" for line in lines)

    for name, description, text in (
        ("no-root", "two lines", of(*lines[:2])),
        ("empty-origin", "an empty first line", of("", *lines[1:])),
        ("origin-with-a-space", "a space in the origin", of("registry example", *lines[1:])),
        ("other-origin", "a checkpoint of another log", of("other.example", *lines[1:])),
        ("no-size", "an empty second line", of(tlog.ORIGIN, "", root)),
        ("size-with-a-leading-zero", "09 leaves", of(tlog.ORIGIN, "09", root)),
        ("size-with-a-sign", "+9 leaves", of(tlog.ORIGIN, "+9", root)),
        ("size-below-zero", "-9 leaves", of(tlog.ORIGIN, "-9", root)),
        ("size-with-an-underscore", "what Python reads as 10", of(tlog.ORIGIN, "1_0", root)),
        ("size-with-a-space", "a space after the size", of(tlog.ORIGIN, "9 ", root)),
        ("size-in-other-digits", "digits, but not ASCII", of(tlog.ORIGIN, "\u0669", root)),
        ("size-too-large", "2^63 leaves", of(tlog.ORIGIN, str(2**63), root)),
        ("size-endless", "5,000 digits", of(tlog.ORIGIN, "9" * 5_000, root)),
        ("root-short", "31 bytes", of(*lines[:2], ref.b64(tlog.ROOT[:-1]))),
        ("root-long", "33 bytes", of(*lines[:2], ref.b64(tlog.ROOT + b"\0"))),
        ("root-without-padding", "not canonical", of(*lines[:2], root.rstrip("="))),
        ("root-in-hex", "hex for base64", of(*lines[:2], tlog.ROOT.hex())),
        ("root-unused-bits", "bits that must be zero", of(*lines[:2], root[:-2] + "F=")),
        ("empty-tree-with-a-root", "nothing hashes to this", of(tlog.ORIGIN, "0", root)),
        ("empty-extension", "an empty line after the root", of(*lines, "", "more")),
        ("empty-last-extension", "an empty line at the end", of(*lines, "")),
    ):
        yield name, BAD_CHECKPOINT, description, tlog.signed(text)


def checkpoints():
    yield from checkpoint_texts()
    good = tlog.NOTE
    yield "other-text", BAD_CHECKPOINT, "a note about something else", tlog.signed("text\n")
    yield "unsigned", BAD_NOTE, "text only", tlog.TEXT
    yield (
        "size-changed",
        BAD_NOTE,
        "ten leaves, signed as nine",
        good.replace("\n9\n", "\n10\n", 1),
    )
    yield (
        "other-log-key",
        BAD_NOTE,
        "signed by a key nobody trusts",
        ref.sign_note(tlog.TEXT, tlog.ORIGIN, ref.fixed("another log", 32)),
    )
    yield (
        "only-a-witness",
        BAD_NOTE,
        "cosigned, and not signed by the log",
        tlog.TEXT + "\n" + tlog.cosignature("X1"),
    )


def cosignatures():
    bare = tlog.signed()
    name, private = tlog.WITNESSES["X1"]
    public = ref.ed25519_public(private)
    key_hash = ref.key_hash(name, public, b"\x04")
    line = tlog.cosignature("X1")
    raw = ref.base64.b64decode(line.split(" ")[2])[4:]

    def with_raw(data):
        return f"{bare}— {name} {ref.b64(key_hash + data)}\n"

    def signing(message):
        return with_raw(ref.u64(tlog.TIME) + ref.ed25519_sign(private, message.encode()))

    yield "missing", "signed by the log only", bare
    yield "time-changed", "another time than was signed", with_raw(flip(raw, 7))
    yield "signature-changed", "a bit turned over", with_raw(flip(raw, 20))
    yield "truncated", "71 bytes", with_raw(raw[:-1])
    yield "longer", "73 bytes", with_raw(raw + b"\0")
    yield "only-a-time", "eight bytes", with_raw(raw[:8])
    yield "no-time", "64 bytes", with_raw(raw[8:])
    yield (
        "time-too-large",
        "2^63",
        with_raw(
            ref.u64(2**63)
            + ref.ed25519_sign(private, f"cosignature/v1\ntime {2**63}\n{tlog.TEXT}".encode())
        ),
    )
    yield "twice", "one witness's line twice", bare + line * 2
    yield (
        "of-another-time-as-well",
        "a later line too",
        bare + line + tlog.cosignature("X1", time=tlog.TIME + 1),
    )
    yield "no-header", "what a log signs", signing(tlog.TEXT)
    yield (
        "other-header",
        "version 2",
        signing(f"cosignature/v2\ntime {tlog.TIME}\n{tlog.TEXT}"),
    )
    yield (
        "without-the-root",
        "the first two lines only",
        signing(
            f"cosignature/v1\ntime {tlog.TIME}\n" + "".join(tlog.TEXT.splitlines(keepends=True)[:2])
        ),
    )
    yield (
        "of-another-checkpoint",
        "of a smaller tree",
        bare + tlog.cosignature("X1", ref.checkpoint_text(tlog.ORIGIN, 8, tlog.ROOT)),
    )
    yield (
        "key-hash-of-a-log",
        "the witness's key under a log's algorithm",
        f"{bare}— {name} {ref.b64(ref.key_hash(name, public) + raw)}\n",
    )
    yield "other-witness", "another one's line", bare + tlog.cosignature("X2")


def policies():
    log, x1, x2 = tlog.LOG_LINE, tlog.WITNESS_LINES["X1"], tlog.WITNESS_LINES["X2"]
    none = "quorum none\n"
    yield from (
        ("empty", "no line at all", ""),
        ("no-quorum", "a log only", log),
        ("no-last-newline", "cut within the last line", log + none + x1[:-1]),
        ("two-quorums", "two quorum lines", log + none * 2),
        ("quorum-of-two", "two names", log + x1 + x2 + "quorum X1 X2\n"),
        ("quorum-unknown", "a name nobody defined", log + "quorum X1\n"),
        ("quorum-first", "a name that is defined later", log + "quorum X1\n" + x1),
        ("comment-at-the-end-of-a-line", "comments are lines", "quorum none # none\n"),
        ("keyword-in-capitals", "keywords are lower case", "QUORUM none\n"),
        ("unknown-keyword", "neither log, witness, group nor quorum", "mirror a\n" + none),
        ("carriage-returns", "lines end in CR LF", (log + none).replace("\n", "\r\n")),
        ("nul", "a NUL in a comment", "# \0\n" + none),
        ("delete", "U+007F in a comment", "# \x7f\n" + none),
        ("no-break-space", "only spaces and tabs part words", "quorum\u00a0none\n"),
        ("log-without-key", "a keyword only", "log\n" + none),
        ("log-with-two-addresses", "a part too many", log[:-1] + " a b\n" + none),
        (
            "log-key-of-a-witness",
            "an algorithm byte of another kind",
            f"log {tlog.witness_vkey('X1')}\n" + none,
        ),
        ("log-key-with-a-wrong-hash", "the hash of another key", log.replace("+", "+00", 1) + none),
        ("a-log-twice", "one key on two lines", log * 2 + none),
        (
            "witness-without-name",
            "a part is missing",
            f"witness {tlog.witness_vkey('X1')}\n" + none,
        ),
        (
            "witness-key-of-a-log",
            "an algorithm byte of another kind",
            f"witness X1 {tlog.LOG_VKEY}\n" + none,
        ),
        ("witness-named-none", "a name that is taken", x1.replace("X1 ", "none ", 1) + none),
        (
            "a-witness-s-key-twice",
            "one key under two names",
            x1 + x1.replace("X1 ", "X2 ", 1) + none,
        ),
        (
            "a-witness-s-name-twice",
            "two keys under one name",
            x1 + x2.replace("X2 ", "X1 ", 1) + none,
        ),
        ("group-named-as-a-witness", "a name that is taken", x1 + "group X1 any X1\n" + none),
        ("group-named-none", "a name that is taken", x1 + "group none any X1\n" + none),
        ("group-of-none", "no member", x1 + "group g any\n" + none),
        ("group-with-none", "none is no member", x1 + "group g any none\n" + none),
        ("group-of-itself", "a name that no line before defines", x1 + "group g any g\n" + none),
        ("threshold-zero", "none of one", x1 + "group g 0 X1\n" + none),
        ("threshold-too-large", "two of one", x1 + "group g 2 X1\n" + none),
        ("threshold-with-a-leading-zero", "01 of one", x1 + "group g 01 X1\n" + none),
        ("threshold-with-a-sign", "+1 of one", x1 + "group g +1 X1\n" + none),
        ("threshold-in-other-digits", "digits, but not ASCII", x1 + "group g \u0661 X1\n" + none),
        ("threshold-unknown-word", "some of one", x1 + "group g some X1\n" + none),
        ("a-member-twice", "one of a group twice", x1 + "group g any X1 X1\n" + none),
        (
            "a-member-of-two-groups",
            "a witness that would count twice",
            x1 + x2 + "group g all X1 X2\ngroup h all X1\n" + none,
        ),
        ("longer-than-the-limit", "65,537 bytes", "#" * (65_536 - len(none)) + "\n" + none),
    )


def proofs():
    """(name, error, description, text); to be verified for the sixth entry."""
    good = tlog.proof()
    hashes = ref.audit_path(tlog.INDEX, tlog.ENTRIES)

    def of(hashes, index=tlog.INDEX):
        return ref.tlog_proof(index, hashes, tlog.NOTE)

    def replaced(old, new):
        return good.replace(old, new, 1)

    for name, description, text in (
        ("empty", "no character at all", ""),
        ("other-version", "version 2", replaced("@v1", "@v2")),
        ("no-title", "the first line is missing", good.partition("\n")[2]),
        ("title-with-a-space", "a space after the title", replaced("@v1", "@v1 ")),
        ("no-index", "the index line is missing", replaced("index 5\n", "")),
        ("index-with-a-leading-zero", "index 05", replaced("index 5", "index 05")),
        ("index-below-zero", "index -5", replaced("index 5", "index -5")),
        ("index-too-large", "2^63 - 1", replaced("index 5", f"index {2**63 - 1}")),
        ("index-in-other-digits", "digits, but not ASCII", replaced("index 5", "index \u0665")),
        ("two-spaces", "two spaces before the index", replaced("index 5", "index  5")),
        ("index-twice", "a second index line", replaced("index 5\n", "index 5\nindex 5\n")),
        ("empty-extra", "extra data of nothing", replaced("index", "extra \nindex")),
        ("extra-not-canonical", "padding is missing", replaced("index", "extra AA\nindex")),
        ("extra-twice", "a second extra line", replaced("index", "extra AAAA\nextra AAAA\nindex")),
        ("extra-after-the-index", "in the wrong order", replaced("5\n", "5\nextra AAAA\n")),
        ("extra-too-long", "16,386 bytes", replaced("index", f"extra {'A' * 21_848}\nindex")),
        ("hash-short", "31 bytes", of([hashes[0][:-1], *hashes[1:]])),
        ("hash-long", "33 bytes", of([hashes[0] + b"\0", *hashes[1:]])),
        ("hash-not-canonical", "padding is missing", replaced("=\n", "\n")),
        ("sixty-four-hashes", "more than any tree needs", of([bytes(32)] * 64)),
        ("no-checkpoint", "no empty line", good.partition("\n\n")[0] + "\n"),
        ("carriage-returns", "lines end in CR LF", good.replace("\n", "\r\n")),
    ):
        yield name, MALFORMED, description, text
    head = good.partition("\n\n")[0]
    yield "checkpoint-unsigned", BAD_NOTE, "text only", f"{head}\n\n{tlog.TEXT}"
    yield "two-empty-lines", BAD_CHECKPOINT, "an empty line too many", f"{head}\n\n\n{tlog.NOTE}"
    yield "no-last-newline", BAD_NOTE, "cut after the last signature", good[:-1]
    yield (
        "no-root",
        BAD_CHECKPOINT,
        "a checkpoint of two lines",
        f"{head}\n\n" + tlog.signed(f"{tlog.ORIGIN}\n9\n"),
    )
    yield "another-index", BAD_PROOF, "of the fifth entry", of(hashes, 4)
    yield "index-beyond-the-tree", BAD_PROOF, "the tenth of nine", of(hashes, 9)
    yield "hash-changed", BAD_PROOF, "a bit turned over", of([flip(hashes[0], 0), *hashes[1:]])
    yield "hash-missing", BAD_PROOF, "one hash too few", of(hashes[:-1])
    yield "hash-added", BAD_PROOF, "one hash too many", of([*hashes, bytes(32)])
    yield "hashes-swapped", BAD_PROOF, "in the wrong order", of([hashes[1], hashes[0], *hashes[2:]])
    yield (
        "another-entry",
        BAD_PROOF,
        "a right proof of another entry",
        ref.tlog_proof(4, ref.audit_path(4, tlog.ENTRIES), tlog.NOTE),
    )


def receipts():
    """(name, error, description, text); to be verified under the sample's policy."""
    extra = tlog.RECEIPT_EXTRA
    neutral = b"\x01" + bytes(31)
    allowed = ref.encode_statement((1, 1, 1, 1), basis=1, given_for=1)

    def fields(opening=extra[:32], statement=extra[32:42], f=extra[42:74], public=extra[74:]):
        return tlog.receipt(opening + statement + f + public)

    yield "no-extra", MALFORMED, "a proof only", tlog.proof()
    yield "extra-short", MALFORMED, "105 bytes", tlog.receipt(extra[:-1])
    yield "extra-long", MALFORMED, "107 bytes", tlog.receipt(extra + b"\0")
    yield (
        "list-for-f",
        MALFORMED,
        "the fingerprints themselves",
        fields(f=ref.encode_list(samples.FINGERPRINTS)),
    )
    yield (
        "statement-of-nothing",
        BAD_STATEMENT,
        "all unsaid",
        fields(statement=ref.encode_statement((0, 0, 0, 0))),
    )
    yield "other-statement-version", BAD_STATEMENT, "version 2", tlog.receipt(flip(extra, 32, 1))
    yield "small-order-owner", WEAK_KEY, "the neutral point", fields(public=neutral)
    yield "other-opening", BAD_PROOF, "a bit of r turned over", tlog.receipt(flip(extra, 0))
    yield "other-statement", BAD_PROOF, "allowed, what was not", fields(statement=allowed)
    yield "other-image", BAD_PROOF, "a bit of F turned over", tlog.receipt(flip(extra, 50))
    yield (
        "other-owner",
        BAD_PROOF,
        "somebody else's key",
        fields(public=samples.OTHER_OWNER["public"]),
    )
    yield (
        "another-registration",
        BAD_PROOF,
        "a right proof of another entry",
        ref.tlog_proof(7, ref.audit_path(7, tlog.ENTRIES), tlog.NOTE, extra),
    )
    yield (
        "of-a-log-nobody-trusts",
        BAD_NOTE,
        "the log's name, and another key",
        tlog.receipt(note=ref.sign_note(tlog.TEXT, tlog.ORIGIN, ref.fixed("another log", 32))),
    )
    raw = ref.base64.b64decode(tlog.cosignature("X1").split(" ")[2])
    yield (
        "cosignature-wrong",
        BAD_NOTE,
        "a witness of the policy is there with a wrong cosignature",
        tlog.receipt(note=f"{tlog.signed()}— {tlog.WITNESSES['X1'][0]} {ref.b64(flip(raw, 40))}\n"),
    )
    other = ref.checkpoint_text("other.example", tlog.SIZE, tlog.ROOT)
    yield (
        "other-origin",
        BAD_CHECKPOINT,
        "the log signed as another",
        tlog.receipt(note=tlog.signed(other)),
    )


def cases():
    """Every corruption."""
    with_error = {
        "checkpoint": checkpoints(),
        "tlog-proof": proofs(),
        "receipt": receipts(),
    }
    for of, values in with_error.items():
        for name, error, description, value in values:
            yield case(of, name, error, description, value)
    of_one_error = {
        ("tile-path", MALFORMED): tile_paths(),
        ("tile", MALFORMED): tiles(),
        ("sized-bundle", MALFORMED): sized_bundles(),
        ("cosignature", BAD_NOTE): cosignatures(),
        ("policy", BAD_POLICY): policies(),
    }
    for (of, error), values in of_one_error.items():
        for name, description, value in values:
            yield case(of, name, error, description, value)
