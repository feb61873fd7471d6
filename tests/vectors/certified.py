"""Samples and vectors of committed screenings: manifests, results, evidence, certificates."""

import json

import reference as ref

BLOCK = 8_192
COUNT = 2 * BLOCK + 5

SECRET = ref.fixed("session secret", 32)
SALT = ref.fixed("manifest salt", 32)
CLOSE_INDEX = 40
LEAST_LOG_SIZE = 20

# A small session: (verdict, log size, shipped) of each row.
ANSWERS = [
    (0, 20, True),
    (2, 20, True),
    (1, 20, False),
    (0, 20, False),
    (3, 20, False),
    (1, 20, False),
    (0, 20, False),
    (0, 21, False),
    (0, 25, True),
    (1, 25, False),
    (0, 25, False),
]


def row(number):
    """Row of the sample manifests: images are numbered, fingerprints are drawn."""
    return (number + 1).to_bytes(32, "big") + ref.sha256(b"%d" % number)


ROWS = [row(number) for number in range(len(ANSWERS))]
SHIPPED = [ROWS[number] for number, (_, _, shipped) in enumerate(ANSWERS) if shipped]


def commitment(salt, root, count):
    return ref.sha256(b"consent-registry/manifest/v1\0" + salt + root + ref.u64(count))


def manifest_file(rows):
    return b"consent-registry/manifest-file/v1\0" + ref.u64(len(rows)) + b"".join(rows)


def salt_of(number):
    return ref.hmac.new(SECRET, ref.u64(number), "sha256").digest()[:16]


def result(number, verdict, log_size):
    head = salt_of(number) + ref.u64(number) + ROWS[number]
    return head + ref.u64(log_size) + bytes([verdict])


RESULTS = [result(i, verdict, size) for i, (verdict, size, _) in enumerate(ANSWERS)]
RESULTS_ROOT = ref.tree_head(RESULTS)


def opened(number, verdict=None):
    return bytes([ANSWERS[number][0] if verdict is None else verdict]) + salt_of(number)


def log_size(size):
    return b"\x10" + ref.u64(size)


def hidden(low, high):
    """The rows from low up to high, a complete subtree."""
    level = (high - low).bit_length() - 1
    return bytes([0x40 + level]) + ref.tree_head(RESULTS[low:high])


def steps():
    """The steps of the evidence, from the tree's top down."""
    out, said = [], None

    def walk(low, high):
        nonlocal said
        count = high - low
        if not any(shipped for _, _, shipped in ANSWERS[low:high]) and count & (count - 1) == 0:
            out.append(hidden(low, high))
        elif count == 1:
            if ANSWERS[low][1] != said:
                said = ANSWERS[low][1]
                out.append(log_size(said))
            out.append(opened(low))
        else:
            middle = low + ref.split(count)
            walk(low, middle)
            walk(middle, high)

    walk(0, len(ANSWERS))
    return out


def evidence(of):
    return b"consent-registry/evidence/v1\0" + ref.u64(len(ANSWERS)) + b"".join(of)


BUILDER_PRIVATE = ref.fixed("builder key", 32)
BUILDER = ref.ed25519_public(BUILDER_PRIVATE)

TERMS = {
    "bank": 3,
    "contest": {"standsFrom": 0.7},
    "optInSpaces": [],
    "policy": {"name": "balanced", "version": 2},
    "requiredSpaces": ["sha256", "sscd-1"],
    "spaces": {"pdq-1": {"radius": 31}, "sha256": {"equal": True}},
    "use": "cawg.ai_training",
    "version": 1,
}


def compact(value):
    """RFC 8785, for values whose names are ASCII and whose numbers Python writes as it does."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def statement():
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "tag:consent-registry,2026:/exclusion/v1",
        "subject": [
            {
                "name": "shipped-manifest",
                "digest": {"rfc6962Sha256": ref.tree_head(SHIPPED).hex()},
            }
        ],
        "predicate": {
            "builder": ref.b64(BUILDER),
            "registry": "registry.example/2026",
            "session": {"open": 12, "close": CLOSE_INDEX},
            "resultsRoot": RESULTS_ROOT.hex(),
            "screened": {
                "count": 1_000,
                "spaces": {"pdq-1": 1_000, "sha256": 1_000, "sscd-1": 990},
                "verdicts": {"CLEAR": 900, "EXCLUDE": 80, "PERMIT": 10, "UNKNOWN": 10},
            },
            "shipped": {"count": 3},
            "supersedes": ref.fixed("earlier certificate", 32).hex(),
            "terms": TERMS,
            "tool": {"name": "consent-client", "version": "0.1.0"},
        },
    }


def pae(payload, kind=b"application/vnd.in-toto+json"):
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload, private=BUILDER_PRIVATE, signed=None):
    """A DSSE envelope; `signed` is what the signature is of, where that differs."""
    message = pae(payload) if signed is None else signed
    return {
        "payload": ref.b64(payload),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [
            {
                "keyid": ref.sha256(ref.ed25519_public(private)).hex(),
                "sig": ref.b64(ref.ed25519_sign(private, message)),
            }
        ],
    }


def manifest_vectors():
    rows = [row(number) for number in range(COUNT)]
    roots = [ref.tree_head(rows[at : at + BLOCK]) for at in range(0, COUNT, BLOCK)]
    root = ref.tree_head(rows)
    return {
        "rule": "row i is u256(i + 1), then SHA-256 of i in decimal",
        "rows": [value.hex() for value in ROWS],
        "root": ref.tree_head(ROWS).hex(),
        "salt": SALT.hex(),
        "commitment": commitment(SALT, ref.tree_head(ROWS), len(ROWS)).hex(),
        "file": manifest_file(ROWS).hex(),
        "many": {
            "count": COUNT,
            "root": root.hex(),
            "block_roots": [value.hex() for value in roots],
            "paths": [
                [roots[1].hex(), roots[2].hex()],
                [roots[0].hex(), roots[2].hex()],
                [ref.sha256(b"\1" + roots[0] + roots[1]).hex()],
            ],
        },
    }


def result_vectors():
    return {
        "secret": SECRET.hex(),
        "rows": [value.hex() for value in ROWS],
        "answers": [
            {"verdict": verdict, "log_size": size, "leaf": RESULTS[number].hex()}
            for number, (verdict, size, _) in enumerate(ANSWERS)
        ],
        "results_root": RESULTS_ROOT.hex(),
        "least_log_size": LEAST_LOG_SIZE,
        "close_index": CLOSE_INDEX,
        "shipped": [value.hex() for value in SHIPPED],
        "shipped_root": ref.tree_head(SHIPPED).hex(),
        "verdicts": {"CLEAR": 2, "PERMIT": 1},
        "evidence": evidence(steps()).hex(),
    }


def certificate_vectors():
    payload = compact(statement())
    return {
        "builder_private_key": BUILDER_PRIVATE.hex(),
        "builder": BUILDER.hex(),
        "statement": statement(),
        "terms": compact(TERMS).decode(),
        "pae": ref.b64(pae(payload)),
        "digest": ref.sha256(pae(payload)).hex(),
        "certificate": compact(envelope(payload)).decode(),
    }
