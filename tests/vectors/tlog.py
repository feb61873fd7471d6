"""Samples and vectors of the transparency log: tiles, checkpoints, policies, proofs, receipts."""

import reference as ref
import samples

ORIGIN = samples.ORIGIN
LOG_PRIVATE = ref.fixed("log key", 32)
LOG_VKEY = ref.vkey(ORIGIN, ref.ed25519_public(LOG_PRIVATE))

WITNESSES = {
    name: (f"witness.example/{name}", ref.fixed(f"witness {name}", 32))
    for name in ("X1", "X2", "X3", "Y1", "Y2")
}
TIME = 1_800_000_000

# The sample record is the sixth of nine entries.
ENTRIES = [
    *(ref.entry(8, (20_000 + day).to_bytes(4)) for day in range(5)),
    samples.REGISTER_ENTRY,
    *(ref.entry(1, ref.fixed(f"C {k}", 32), ref.fixed(f"W {k}", 32)) for k in range(3)),
]
INDEX = 5
SIZE = len(ENTRIES)
ROOT = ref.tree_head(ENTRIES)
TEXT = ref.checkpoint_text(ORIGIN, SIZE, ROOT)


def witness_vkey(name):
    full, private = WITNESSES[name]
    return ref.vkey(full, ref.ed25519_public(private), b"\x04")


def cosignature(name, text=TEXT, time=TIME):
    return ref.cosignature_line(text, *WITNESSES[name], time)


def signed(text=TEXT, witnesses=()):
    """The log's note of a checkpoint, cosigned."""
    note = ref.sign_note(text, ORIGIN, LOG_PRIVATE)
    return note + "".join(cosignature(name, text) for name in witnesses)


NOTE = signed(witnesses=["X1"])

LOG_LINE = f"log {LOG_VKEY}\n"
WITNESS_LINES = {name: f"witness {name} {witness_vkey(name)}\n" for name in WITNESSES}
POLICY = LOG_LINE + WITNESS_LINES["X1"] + "quorum X1\n"

RECEIPT_EXTRA = (
    samples.OWNER["opening"]
    + samples.STATEMENT
    + ref.image_digest(samples.FINGERPRINTS)
    + samples.OWNER["public"]
)


def proof(index=INDEX, note=NOTE, extra=b""):
    return ref.tlog_proof(index, ref.audit_path(index, ENTRIES), note, extra)


def receipt(extra=RECEIPT_EXTRA, note=NOTE):
    return proof(INDEX, note, extra)


def tile_vectors():
    places = [
        (0, 0, 256),
        (0, 0, 1),
        (0, 999, 255),
        (1, 1_000, 256),
        (0, 1_234_067, 8),
        (2, 1_000_000, 256),
        (6, 126, 256),
        (7, 0, 127),
        ("entries", 0, 256),
        ("entries", 5, 3),
        ("entries", 1_234_067, 256),
    ]
    growths = [(0, 0), (0, 1), (1, 2), (0, 256), (255, 256), (256, 257), (200, 600), (7, 7)]
    growths += [(65_280, 65_536), (65_500, 65_800), (69_990, 70_000)]
    entries = [b"entry %d" % index for index in range(515)]
    return {
        "paths": [
            {"level": level, "index": index, "width": width}
            | {"path": ref.tile_path(level, index, width)}
            for level, index, width in places
        ],
        "growths": [
            {
                "old": old,
                "new": new,
                "tiles": [
                    ref.tile_path(*place)
                    for place in ref.tiles_of(new)
                    if place not in set(ref.tiles_of(old))
                ],
            }
            for old, new in growths
        ],
        "contents": {
            "description": "the i-th entry is `entry i`",
            "size": len(entries),
            "root": ref.tree_head(entries).hex(),
            "tiles_sha256": {
                ref.tile_path(*place): ref.sha256(ref.tile(entries, *place)).hex()
                for place in ref.tiles_of(len(entries))
            },
            "bundles_sha256": {
                ref.tile_path("entries", index, width): ref.sha256(
                    ref.bundle(entries[index * 256 : index * 256 + width])
                ).hex()
                for level, index, width in ref.tiles_of(len(entries))
                if level == 0
            },
        },
    }


def checkpoint_vectors():
    values = [
        ("an empty log", 0, ref.tree_head([]), []),
        ("a small log", SIZE, ROOT, []),
        ("the largest log", 2**63 - 1, ref.fixed("root", 32), []),
        ("lines that are not known", 5, ref.tree_head(ENTRIES[:5]), ["a line", "— noch eine"]),
    ]
    cosigned = [("nobody", []), ("one", ["X1"]), ("two", ["Y1", "X2"])]
    return {
        "origin": ORIGIN,
        "log_private_key": LOG_PRIVATE.hex(),
        "log": LOG_VKEY,
        "witnesses": {
            name: {"name": full, "private_key": private.hex(), "vkey": witness_vkey(name)}
            for name, (full, private) in WITNESSES.items()
        },
        "checkpoints": [
            {
                "description": description,
                "size": size,
                "root": root.hex(),
                "extensions": extensions,
                "text": ref.checkpoint_text(ORIGIN, size, root, extensions),
                "note": signed(ref.checkpoint_text(ORIGIN, size, root, extensions)),
            }
            for description, size, root, extensions in values
        ],
        "cosigned": [
            {
                "description": description,
                "cosignatures": [{"witness": name, "time": TIME} for name in names],
                "note": signed(witnesses=names),
            }
            for description, names in cosigned
        ],
    }


def policy_vectors():
    witnesses = "".join(WITNESS_LINES.values())
    groups = "group X 2 X1 X2 X3\ngroup Y any Y1 Y2\ngroup X-and-Y all X Y\n"
    x, y = (2, ["X1", "X2", "X3"]), (1, ["Y1", "Y2"])
    policies = [
        ("nobody but the log", LOG_LINE + "quorum none\n", None),
        ("nobody, though witnesses are known", LOG_LINE + witnesses + "quorum none\n", None),
        ("one witness", LOG_LINE + witnesses + "quorum X1\n", "X1"),
        ("groups of groups", LOG_LINE + witnesses + groups + "quorum X-and-Y\n", (2, [x, y])),
        (
            "comments, tabs, empty lines and addresses",
            "# Überschrift\n\n \t\n"
            + LOG_LINE.replace("\n", " https://registry.example/log\n")
            + "\t"
            + WITNESS_LINES["Y1"].replace(" ", "\t \t").replace("\n", " https://witness.example \n")
            + "  # no more\nquorum Y1\n",
            "Y1",
        ),
    ]
    known = {"nobody but the log": [], "comments, tabs, empty lines and addresses": ["Y1"]}
    cosigned = [[], ["X1"], ["Y1"], ["X1", "X3"], ["X2", "Y2"], ["X1", "X2", "Y1"]]
    return [
        {
            "description": description,
            "policy": text,
            "cases": [
                {
                    "cosigned": names,
                    "known": [name for name in names if name in known.get(description, WITNESSES)],
                    "satisfied": ref.quorum_met(quorum, names),
                    "standing": "witnessed"
                    if quorum is not None and ref.quorum_met(quorum, names)
                    else "unwitnessed",
                }
                for names in cosigned
            ],
        }
        for description, text, quorum in policies
    ]


def proof_vectors():
    cases = [
        ("of the only entry", 0, 1, b""),
        ("of the first entry", 0, SIZE, b""),
        ("in the middle", INDEX, SIZE, b""),
        ("of the last entry, which stands alone", SIZE - 1, SIZE, b""),
        ("with extra data", 2, 4, b"extra data"),
    ]
    out = []
    for description, index, size, extra in cases:
        entries = ENTRIES[:size]
        text = ref.checkpoint_text(ORIGIN, size, ref.tree_head(entries))
        hashes = ref.audit_path(index, entries)
        out.append(
            {
                "description": description,
                "entry": entries[index].hex(),
                "index": index,
                "size": size,
                "hashes": [value.hex() for value in hashes],
                "extra": extra.hex(),
                "proof": ref.tlog_proof(index, hashes, signed(text), extra),
            }
        )
    return out


def receipt_vectors():
    cases = [("witnessed", ["X1"], "witnessed"), ("only the log's word", [], "unwitnessed")]
    return {
        "policy": POLICY,
        "opening": samples.OWNER["opening"].hex(),
        "statement": samples.STATEMENT.hex(),
        "image_digest": ref.image_digest(samples.FINGERPRINTS).hex(),
        "owner_public_key": samples.OWNER["public"].hex(),
        "register_entry": samples.REGISTER_ENTRY.hex(),
        "receipts": [
            {
                "description": description,
                "witnesses": names,
                "standing": standing,
                "receipt": receipt(note=signed(witnesses=names)),
            }
            for description, names, standing in cases
        ],
    }
