"""Named corruptions of committed screenings; README.md says what `input` is for each format."""

import copy
import json

import certified
import reference as ref
from corrupt import case, flip

BAD_MANIFEST = "BAD_MANIFEST"
BAD_PROOF = "BAD_PROOF"
BAD_EVIDENCE = "BAD_EVIDENCE"
BAD_CERTIFICATE = "BAD_CERTIFICATE"
BAD_SIGNATURE = "BAD_SIGNATURE"
WEAK_KEY = "WEAK_KEY"


def manifests():
    rows = certified.ROWS
    yield "descending", "two rows in the wrong order", [rows[1], rows[0], *rows[2:]]
    yield "a-row-twice", "the same row again", [*rows[:3], *rows[2:]]
    yield (
        "an-image-twice",
        "one image with two different F, in order as bytes",
        [*rows[:3], rows[2][:32] + b"\xff" * 32, *rows[3:]],
    )
    yield "short-row", "63 bytes", [*rows[:3], rows[3][:-1]]
    yield "long-row", "65 bytes", [*rows[:3], rows[3] + b"\0"]
    yield "empty-row", "no bytes", [b"", *rows]


def manifest_files():
    good = certified.manifest_file(certified.ROWS)
    head = len(good) - 64 * len(certified.ROWS)
    yield "empty", "no byte at all", b""
    yield "header-truncated", "7 bytes of n", good[: head - 1]
    yield "other-magic", "another version", good.replace(b"/v1", b"/v2", 1)
    yield "truncated", "the last byte is missing", good[:-1]
    yield "a-row-missing", "a row fewer than it says", good[:-64]
    yield "trailing-byte", "a byte after the end", good + b"\0"
    yield "a-row-more", "a row more than it says", good + b"\xff" * 64
    yield "endless", "claims 2^64 - 1 rows", good[: head - 8] + b"\xff" * 8 + good[head:]
    yield (
        "descending",
        "the last two rows in the wrong order",
        good[:-128] + good[-64:] + good[-128:-64],
    )


def blocks():
    """Of a manifest of two whole blocks and five rows, the last one: (error, fields)."""
    rows = [certified.row(number) for number in range(certified.COUNT)]
    last = rows[2 * certified.BLOCK :]
    path = certified.manifest_vectors()["many"]["paths"][2]
    good = {
        "block": b"".join(last).hex(),
        "number": 2,
        "count": certified.COUNT,
        "path": path,
        "root": ref.tree_head(rows).hex(),
    }
    other = bytes.fromhex(path[0])
    yield "other-place", BAD_MANIFEST, "as if it were the first", good | {"number": 0}
    yield "beyond", BAD_MANIFEST, "as if it were a fourth", good | {"number": 3}
    yield "before", BAD_MANIFEST, "a negative number", good | {"number": -1}
    yield "too-few-rows", BAD_MANIFEST, "one is missing", good | {"block": good["block"][:-128]}
    yield "too-many-rows", BAD_MANIFEST, "one twice", good | {"block": good["block"][:128] * 6}
    yield "half-a-row", BAD_MANIFEST, "a byte is missing", good | {"block": good["block"][:-2]}
    yield "other-count", BAD_MANIFEST, "of a longer manifest", good | {"count": certified.COUNT + 1}
    swapped = [last[1], last[0], *last[2:]]
    yield (
        "descending",
        BAD_MANIFEST,
        "under the root of a tree whose rows do not increase",
        good
        | {
            "block": b"".join(swapped).hex(),
            "root": ref.sha256(b"\1" + other + ref.tree_head(swapped)).hex(),
        },
    )
    changed = flip(b"".join(last), -1).hex()
    yield "other-row", BAD_PROOF, "a bit of the last F turned over", good | {"block": changed}
    yield "no-path", BAD_PROOF, "a path without hashes", good | {"path": []}
    yield "longer-path", BAD_PROOF, "a hash too many", good | {"path": path * 2}
    yield "other-path", BAD_PROOF, "a bit turned over", good | {"path": [flip(other, 0).hex()]}
    yield "short-hash", BAD_PROOF, "31 bytes", good | {"path": [path[0][:-2]]}
    yield "other-root", BAD_PROOF, "of another tree", good | {"root": path[0]}


def evidences():
    """Evidence of the sample session: (description, changes to the fields)."""
    make, size, opened = certified.evidence, certified.log_size, certified.opened
    hidden = certified.hidden
    good = certified.steps()
    # log size 20, row 0, row 1, rows 2-3, rows 4-7, log size 25, row 8, row 9, row 10
    whole = make(good)
    head = len(whole) - len(b"".join(good))

    def steps(at, *others, count=1):
        return {"evidence": make([*good[:at], *others, *good[at + count :]]).hex()}

    yield "empty", "no byte at all", {"evidence": ""}
    yield "magic-only", "no number of rows", {"evidence": whole[: head - 8].hex()}
    yield "other-magic", "another version", {"evidence": whole.replace(b"/v1", b"/v2", 1).hex()}
    yield "truncated", "the last byte is missing", {"evidence": whole[:-1].hex()}
    yield "cut-between-steps", "the last step is missing", steps(8)
    yield "trailing-byte", "a byte after the end", {"evidence": whole.hex() + "00"}
    yield "row-beyond", "a row more than the session has", steps(9, opened(0))
    yield "other-count", "of a session with a row more", {"count": 12}
    yield "unknown-step", "kind 4", steps(1, b"\4" + opened(0)[1:])
    yield "excluded-shipped", "opened as EXCLUDE", steps(3, opened(2), hidden(3, 4))
    yield "unknown-shipped", "opened as UNKNOWN", steps(1, opened(0, 3))
    yield (
        "excluded-as-clear",
        "an EXCLUDE row said to be CLEAR",
        {
            **steps(3, opened(2, 0), hidden(3, 4)),
            "shipped": [value.hex() for value in [*certified.ROWS[:3], certified.ROWS[8]]],
        },
    )
    yield "other-verdict", "a PERMIT said to be CLEAR", steps(2, opened(1, 0))
    yield "other-salt", "a bit of a salt turned over", steps(1, flip(opened(0), 1))
    yield "opened-not-shipped", "row 10 is opened too", steps(8, opened(10))
    yield (
        "shipped-not-opened",
        "row 8 is hidden",
        {"evidence": make([*good[:5], hidden(8, 10), hidden(10, 11)]).hex()},
    )
    yield "opened-twice", "row 0 stands for row 1 too", steps(2, opened(0))
    yield "rows-exchanged", "rows 0 and 1 are exchanged", steps(1, opened(1), opened(0), count=2)
    yield "other-hash", "a bit of a hidden hash turned over", steps(3, flip(good[3], -1))
    yield "not-folded", "two halves of a subtree", steps(4, hidden(4, 6), hidden(6, 8))
    yield "misplaced-subtree", "four rows from row 2 on", steps(3, b"\x42" + bytes(32), count=2)
    yield (
        "subtree-beyond",
        "a subtree that is larger than what is left",
        {"evidence": make([*good[:7], b"\x42" + bytes(32)]).hex()},
    )
    yield "endless-subtree", "level 53", steps(3, b"\x75" + bytes(32))
    yield "no-log-size", "a row is opened before any log size", steps(0)
    yield "log-size-again", "the log size that holds", steps(2, size(20), good[2])
    yield "log-size-twice", "two log sizes for one row", steps(5, size(24), size(25))
    yield (
        "log-size-of-hidden",
        "a log size before hidden rows",
        steps(4, size(25), good[4], count=2),
    )
    yield "log-size-at-the-end", "a log size after the last row", steps(9, size(26))
    yield (
        "falling-log-size",
        "row 8 for an earlier log than row 1",
        {
            **steps(5, size(19)),
            "least_log_size": 10,
        },
    )
    yield "other-log-size", "row 8 for another log", steps(5, size(24))
    yield "below-the-least-log-size", "the CLOSE entry says 21", {"least_log_size": 21}
    yield "after-the-close", "the CLOSE entry stands at 24", {"close_index": 24}
    yield "endless-log-size", "2^64 - 1", steps(5, size(2**64 - 1))
    yield "other-results", "the CLOSE entry has another root", {"results_root": bytes(32).hex()}
    shipped = [value.hex() for value in certified.SHIPPED]
    yield "shipped-row-missing", "a row fewer is shipped", {"shipped": shipped[:-1]}
    yield "shipped-row-more", "a row more is shipped", {"shipped": [*shipped, "ff" * 64]}
    yield (
        "other-fingerprints",
        "shipped with another F",
        {"shipped": [shipped[0], flip(certified.SHIPPED[1], -1).hex(), shipped[2]]},
    )


def evidence_cases():
    vectors = certified.result_vectors()
    good = {
        "evidence": vectors["evidence"],
        "shipped": vectors["shipped"],
        "count": len(certified.ROWS),
        "results_root": vectors["results_root"],
        "least_log_size": certified.LEAST_LOG_SIZE,
        "close_index": certified.CLOSE_INDEX,
    }
    for name, description, changes in evidences():
        yield name, BAD_EVIDENCE, description, good | changes
    shipped = good["shipped"]
    for name, description, value in (
        ("shipped-row-twice", "a row twice", [shipped[0], *shipped]),
        ("shipped-descending", "rows in the wrong order", [shipped[1], shipped[0], shipped[2]]),
        ("shipped-short-row", "a row of 63 bytes", [shipped[0][:-2], *shipped[1:]]),
    ):
        yield name, BAD_MANIFEST, description, good | {"shipped": value}


def statements():
    """(description, statement) of statements that are signed and canonical."""

    def changed(*path, to=None, drop=False):
        value = copy.deepcopy(certified.statement())
        at = value
        for name in path[:-1]:
            at = at[name]
        if drop:
            del at[path[-1]]
        else:
            at[path[-1]] = to
        return value

    predicate = ("predicate",)
    digest = ("subject", 0, "digest")
    yield (
        "other-statement-type",
        "in-toto Statement v0.1",
        changed("_type", to="https://in-toto.io/Statement/v0.1"),
    )
    yield (
        "other-predicate-type",
        "version 2",
        changed("predicateType", to="tag:consent-registry,2026:/exclusion/v2"),
    )
    yield "no-subject", "an empty list", changed("subject", to=[])
    subject = certified.statement()["subject"]
    yield "two-subjects", "the same twice", changed("subject", to=subject * 2)
    yield "other-subject-name", "another name", changed("subject", 0, "name", to="dataset")
    yield "other-digest", "of another algorithm", changed(*digest, to={"sha256": "00" * 32})
    yield "further-digest", "two digests", changed(*digest, "sha256", to="00" * 32)
    root = certified.statement()["subject"][0]["digest"]["rfc6962Sha256"]
    yield (
        "digest-in-capitals",
        "hex has one text",
        changed(*digest, "rfc6962Sha256", to=root.upper()),
    )
    yield "short-digest", "31 bytes", changed(*digest, "rfc6962Sha256", to=root[:-2])
    yield "further-field", "a field nobody defined", changed(*predicate, "note", to="")
    yield (
        "missing-field",
        "supersedes is left out, not null",
        changed(*predicate, "supersedes", drop=True),
    )
    yield "predicate-is-no-object", "a list", changed("predicate", to=[])
    yield "true-as-a-number", "True is not 1", changed(*predicate, "shipped", "count", to=True)
    yield "number-as-text", "a count in quotes", changed(*predicate, "shipped", "count", to="3")
    yield "number-as-a-fraction", "half a row", changed(*predicate, "shipped", "count", to=3.5)
    yield "negative-number", "-1", changed(*predicate, "session", "open", to=-1)
    yield "number-too-large", "2^53", changed(*predicate, "session", "close", to=2**53)
    yield (
        "closed-before-it-was-opened",
        "CLOSE before SESSION",
        changed(*predicate, "session", "close", to=12),
    )
    yield "nothing-shipped", "no row", changed(*predicate, "shipped", "count", to=0)
    yield "more-shipped-than-cleared", "911 of 910", changed(*predicate, "shipped", "count", to=911)
    screened = (*predicate, "screened")
    yield (
        "too-few-rows",
        "999 rows",
        changed(
            *predicate,
            "screened",
            to=certified.statement()["predicate"]["screened"]
            | {
                "count": 999,
                "spaces": {"sha256": 999},
                "verdicts": {"CLEAR": 899, "EXCLUDE": 80, "PERMIT": 10, "UNKNOWN": 10},
            },
        ),
    )
    yield (
        "other-sum",
        "verdicts that are not as many as rows",
        changed(*screened, "count", to=1_001),
    )
    yield "missing-verdict", "no UNKNOWN", changed(*screened, "verdicts", "UNKNOWN", drop=True)
    yield "further-verdict", "MAYBE", changed(*screened, "verdicts", "MAYBE", to=0)
    yield "no-space", "an empty object", changed(*screened, "spaces", to={})
    yield "unknown-space", "a space nobody defined", changed(*screened, "spaces", "sha257", to=1)
    yield (
        "more-in-a-space-than-rows",
        "1,001 of 1,000",
        changed(*screened, "spaces", "sha256", to=1_001),
    )
    yield "registry-is-no-origin", "with a space", changed(*predicate, "registry", to="a b")
    yield "terms-as-text", "terms in quotes", changed(*predicate, "terms", to="{}")
    yield (
        "endless-number-in-terms",
        "10^400",
        changed(*predicate, "terms", "bank", to=int("1" + "0" * 400)),
    )
    yield "tool-without-version", "a name only", changed(*predicate, "tool", "version", drop=True)
    yield "tool-in-two-lines", "a newline in a name", changed(*predicate, "tool", "name", to="a\nb")
    yield (
        "builder-short",
        "a key of 31 bytes",
        changed(*predicate, "builder", to=ref.b64(certified.BUILDER[:-1])),
    )


def envelopes():
    """(error, description, text) of envelopes around the right statement."""
    payload = certified.compact(certified.statement())
    good = certified.envelope(payload)
    text = certified.compact(good).decode()
    signature = good["signatures"][0]
    other = certified.envelope(payload, ref.fixed("another builder", 32))["signatures"][0]

    def changed(error=BAD_CERTIFICATE, **fields):
        return error, certified.compact(good | fields).decode()

    yield "empty", "no text", BAD_CERTIFICATE, ""
    yield "not-an-object", "a list", BAD_CERTIFICATE, f"[{text}]"
    yield "truncated", "the last brace is missing", BAD_CERTIFICATE, text[:-1]
    yield "trailing-newline", "a newline at the end", BAD_CERTIFICATE, text + "\n"
    yield "spaces", "with spaces", BAD_CERTIFICATE, json.dumps(good, sort_keys=True)
    yield (
        "names-in-another-order",
        "payloadType first",
        BAD_CERTIFICATE,
        json.dumps(
            {name: good[name] for name in ("payloadType", "payload", "signatures")},
            separators=(",", ":"),
        ),
    )
    first = text.index(",")
    yield "a-name-twice", "two payloads", BAD_CERTIFICATE, "{" + text[1 : first + 1] + text[1:]
    yield "nested-too-deep", "50,000 lists", BAD_CERTIFICATE, "[" * 50_000
    yield "too-long", "more bytes than a certificate has", BAD_CERTIFICATE, text + " " * 65_536
    yield "further-field", "a field DSSE does not have", *changed(note="")
    yield "other-payload-type", "plain JSON", *changed(payloadType="application/json")
    yield "no-signature", "an empty list", *changed(signatures=[])
    yield "two-signatures", "one by somebody else", *changed(signatures=[signature, other])
    yield "missing-keyid", "keyid is left out", *changed(signatures=[{"sig": signature["sig"]}])
    yield (
        "payload-without-padding",
        "base64 that is not padded",
        *changed(payload=ref.b64(payload + b" ").rstrip("=") + "=" * 3),
    )
    yield (
        "other-keyid",
        "another key is named",
        *changed(signatures=[signature | {"keyid": other["keyid"]}]),
    )
    yield "other-builder", "signed by another key than is named in it", *changed(signatures=[other])
    yield (
        "signature-by-another",
        "under the builder's key id",
        *changed(BAD_SIGNATURE, signatures=[signature | {"sig": other["sig"]}]),
    )
    yield (
        "signature-of-the-payload",
        "without the encoding of DSSE",
        BAD_SIGNATURE,
        (certified.compact(certified.envelope(payload, signed=payload)).decode()),
    )
    yield (
        "signature-of-another-type",
        "encoded with another payload type",
        BAD_SIGNATURE,
        (
            certified.compact(
                certified.envelope(payload, signed=certified.pae(payload, b"application/json"))
            ).decode()
        ),
    )
    raw = ref.base64.b64decode(signature["sig"])
    yield (
        "signature-truncated",
        "63 bytes",
        *changed(BAD_SIGNATURE, signatures=[signature | {"sig": ref.b64(raw[:-1])}]),
    )
    lifted = raw[:32] + (int.from_bytes(raw[32:], "little") + ref.L).to_bytes(32, "little")
    yield (
        "signature-not-reduced",
        "S + L",
        *changed(BAD_SIGNATURE, signatures=[signature | {"sig": ref.b64(lifted)}]),
    )
    spoilt = copy.deepcopy(certified.statement())
    neutral = b"\x01" + bytes(31)
    spoilt["predicate"]["builder"] = ref.b64(neutral)
    named = signature | {"keyid": ref.sha256(neutral).hex()}
    yield (
        "small-order-builder",
        "the neutral point",
        *changed(WEAK_KEY, payload=ref.b64(certified.compact(spoilt)), signatures=[named]),
    )
    for name, description, spoilt_payload in (
        ("payload-with-spaces", "a statement with spaces", json.dumps(certified.statement())),
        ("payload-is-no-json", "text", "hello"),
        ("payload-with-nan", "NaN", '{"a":NaN}'),
        ("payload-is-null", "null", "null"),
    ):
        signed = certified.envelope(spoilt_payload.encode())
        yield name, description, BAD_CERTIFICATE, certified.compact(signed).decode()


def cases():
    """Every corruption of these formats."""
    for name, description, rows in manifests():
        value = [row.hex() for row in rows]
        yield case("manifest", name, BAD_MANIFEST, description, value)
    for name, description, value in manifest_files():
        yield case("manifest-file", name, BAD_MANIFEST, description, value)
    for name, error, description, value in blocks():
        yield case("manifest-block", name, error, description, value)
    for name, error, description, value in evidence_cases():
        yield case("evidence", name, error, description, value)
    for name, description, value in statements():
        signed = certified.compact(certified.envelope(certified.compact(value))).decode()
        yield case("certificate", name, BAD_CERTIFICATE, description, signed)
    for name, description, error, value in envelopes():
        yield case("certificate", f"envelope-{name}", error, description, value)
