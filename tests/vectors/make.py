"""Writes the vectors beside it, with `reference.py` and not with `consent_client`.

    python tests/vectors/make.py            write *.json and corruptions/
    python tests/vectors/make.py --check    say what differs from what is committed; exit code 1
    python tests/vectors/make.py --record   also seal a new X-Wing sample (it is random)

Everything is the same on every run but the X-Wing sample, for which ML-KEM draws its own
randomness: it is recorded once in `recorded/x-wing.json`, and opened here by the reference.
"""

import itertools
import json
import sys
from pathlib import Path

import certified
import corrupt
import corrupt_certified
import corrupt_tlog
import reference as ref
import samples
import tlog

HERE = Path(__file__).parent
RECORDED = HERE / "recorded" / "x-wing.json"


def encoding_vectors():
    bits = [[], [1], [0] * 7 + [1], [1] * 8, [1, 0, 1, 1, 0, 0, 0, 1, 1], [0] * 16 + [1]]
    return {
        "lp": [
            {"parts": [part.hex() for part in parts], "bytes": ref.lp(*parts).hex()}
            for parts in ([], [b""], [b"a"], [b"a", b"", b"bcd"], [bytes(300)])
        ],
        "bitmap": [{"bits": b, "bytes": ref.bitmap(b).hex()} for b in bits],
        "base64": [
            {"bytes": data.hex(), "text": ref.b64(data)}
            for data in (b"", b"\0", b"\0\1", b"\0\1\2", b"\xff" * 4, ref.fixed("base64", 33))
        ],
    }


def fingerprint_vectors():
    lists = {
        "one file digest": {"sha256": [ref.fixed("sha256", 32)]},
        "what a client registers": samples.FINGERPRINTS,
        "every space of this version": {
            **samples.FINGERPRINTS,
            "url-1": [ref.sha256(b"https://example.org/a.jpg")],
            "face-1": [ref.unit_vector("face", 128), ref.unit_vector("face mirrored", 128)],
        },
        "one fingerprint twice": {"pdq-1": [ref.fixed("pdq", 32)] * 2},
    }
    return {
        "lists": [
            {
                "description": description,
                "fingerprints": {s: [f.hex() for f in fps] for s, fps in sorted(fps.items())},
                "list": ref.encode_list(fps).hex(),
                "image_digest": ref.image_digest(fps).hex(),
            }
            for description, fps in lists.items()
        ],
        "norms": [
            {"space": "sscd-1", "length": length, "bytes": samples.vector(length).hex()}
            for length in (0.981, 1.0, 1.019)
        ],
    }


def key_vectors():
    seeds = [bytes(16), b"\xff" * 16, samples.SEED]
    owners = [
        (samples.SEED, origin, i)
        for origin in (samples.ORIGIN, "other.example")
        for i in (0, 1, 2**32 - 1)
    ]
    return {
        "phrases": [{"phrase": ref.phrase_of(seed), "seed": seed.hex()} for seed in seeds],
        "owners": [
            {"seed": seed.hex(), "origin": origin, "i": i}
            | {name: value.hex() for name, value in ref.owner(seed, origin, i).items()}
            for seed, origin, i in owners
        ],
        "signatures": [
            {
                "public": samples.OWNER["public"].hex(),
                "message": message.hex(),
                "signature": ref.ed25519_sign(samples.OWNER["private"], message).hex(),
            }
            for message in (b"", b"a", ref.fixed("message", 200))
        ],
    }


def statement_vectors():
    values = [
        ((2, 2, 2, 2), 1, 0, 0),
        ((0, 0, 2, 2), 2, 0, 20_000),
        ((1, 0, 0, 0), 3, 1, 0),
        ((0, 0, 0, 1), 4, 19, 2**32 - 1),
        ((1, 2, 1, 0), 1, 4, 1),
    ]
    return [
        {
            "uses": list(uses),
            "basis": basis,
            "given_for": given_for,
            "valid_until": valid_until,
            "bytes": ref.encode_statement(uses, basis, given_for, valid_until).hex(),
        }
        for uses, basis, given_for, valid_until in values
    ]


def record_vectors():
    owner = samples.OWNER
    messages = {
        "register": ref.message("register", samples.ORIGIN, owner["record_id"], samples.COMMITMENT),
        "withdraw": ref.message("withdraw", samples.ORIGIN, samples.COMMITMENT),
        "read": ref.message("read", samples.ORIGIN, owner["record_id"], samples.NONCE),
    }
    return {
        "origin": samples.ORIGIN,
        "record_id": owner["record_id"].hex(),
        "owner_private_key": owner["private"].hex(),
        "opening": owner["opening"].hex(),
        "statement": samples.STATEMENT.hex(),
        "list": ref.encode_list(samples.FINGERPRINTS).hex(),
        "image_digest": ref.image_digest(samples.FINGERPRINTS).hex(),
        "commitment": samples.COMMITMENT.hex(),
        "nonce": samples.NONCE.hex(),
        "content": ref.b64(samples.CONTENT),
        "messages": {
            verb: {
                "bytes": message.hex(),
                "signature": ref.ed25519_sign(owner["private"], message).hex(),
            }
            for verb, message in messages.items()
        },
        "registration": samples.registration_json(),
    }


def sealing_vectors(recorded):
    samples_of = [
        ("X25519, made by the reference", 2, samples.X25519_PRIVATE, samples.X25519_BLOB),
        ("X-Wing, recorded", 1, recorded["private"], recorded["blob"]),
    ]
    publics = {
        2: ref.x25519_public(samples.X25519_PRIVATE),
        1: ref.x_wing_public(recorded["private"]),
    }
    return {
        "origin": samples.ORIGIN,
        "record_id": samples.OWNER["record_id"].hex(),
        "owner_public_key": samples.OWNER["public"].hex(),
        "plaintext": ref.b64(samples.CONTENT),
        "samples": [
            {
                "description": description,
                "suite": suite,
                "private_key": private.hex(),
                "public_key": ref.b64(publics[suite]),
                "key_id": ref.sealing_key_id(suite, publics[suite]).hex(),
                "sealed": ref.b64(blob),
            }
            for description, suite, private, blob in samples_of
        ],
        "note": {
            "verifier_key": samples.VKEY,
            "keys": [
                {
                    "suite": suite,
                    "public_key": ref.b64(public),
                    "issue_day": issue,
                    "expiry_day": expiry,
                }
                for suite, public, issue, expiry in samples.SEALING_KEYS
            ],
            "note": samples.SEALING_NOTE,
        },
    }


def note_vectors():
    text = "If you think cryptography is the answer to your problem,\nthen you don't know it.\n"
    other = ref.fixed("another signer", 32)
    return {
        "verifier_key": samples.VKEY,
        "signer_name": samples.SIGNER_NAME,
        "signer_private_key": samples.SIGNER_PRIVATE.hex(),
        "notes": [
            {
                "description": description,
                "text": body,
                "note": ref.sign_note(body, samples.SIGNER_NAME, samples.SIGNER_PRIVATE) + more,
            }
            for description, body, more in (
                ("two lines", text, ""),
                ("empty lines within", "a\n\n\nb\n", ""),
                ("not only ASCII", "Überschrift — ✓\n", ""),
                ("a second signer", text, ref.signature_line(text, "witness.example", other)),
            )
        ],
    }


def verdict_vectors():
    """Every set of up to three stances, both ways of the missing space."""
    return [
        {"stances": list(stances), "missing": missing, "verdict": ref.verdict(stances, missing)}
        for size in range(4)
        for stances in itertools.product(range(3), repeat=size)
        for missing in (False, True)
    ]


def screening_vectors():
    bits = [1, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    columns = {
        "sha256": ([1] * 10, [ref.fixed(f"candidate {i}", 32) for i in range(10)], b""),
        "sscd-1": (bits, [ref.unit_vector(f"candidate {i}") for i in range(sum(bits))], b""),
        "pdq-1": ([0] * 10, [], b""),
        # Nobody in the first image, three people in the second, one in the third and fourth.
        "face-1": (
            bits,
            [ref.unit_vector(f"face {i}", 128) for i in range(5)],
            bytes([0, 3, 1, 1]),
        ),
    }
    return {
        "count": 10,
        "columns": [
            {
                "space": space,
                "bits": present,
                "present": ref.b64(ref.bitmap(present)),
                "fingerprints": ref.b64(b"".join(fingerprints)),
                "counts": ref.b64(counts) if counts else None,
            }
            for space, (present, fingerprints, counts) in columns.items()
        ],
        "block_digest": ref.sha256(ref.block_content(10, columns)).hex(),
    }


def log_vectors():
    items = samples.ENTRIES
    return {
        "entries": [
            {"type": kind, "fields": fields, "bytes": data.hex()} for kind, fields, data in items
        ],
        "bundle": ref.bundle([data for _, _, data in items]).hex(),
    }


def rendered(recorded):
    """Path → text of every file."""
    files = {
        "encoding.json": encoding_vectors(),
        "fingerprints.json": fingerprint_vectors(),
        "keys.json": key_vectors(),
        "statements.json": statement_vectors(),
        "records.json": record_vectors(),
        "sealing.json": sealing_vectors(recorded),
        "notes.json": note_vectors(),
        "verdicts.json": verdict_vectors(),
        "screening.json": screening_vectors(),
        "log.json": log_vectors(),
        "tiles.json": tlog.tile_vectors(),
        "checkpoints.json": tlog.checkpoint_vectors(),
        "policies.json": tlog.policy_vectors(),
        "tlog-proofs.json": tlog.proof_vectors(),
        "receipts.json": tlog.receipt_vectors(),
        "manifests.json": certified.manifest_vectors(),
        "results.json": certified.result_vectors(),
        "certificates.json": certified.certificate_vectors(),
    }
    out = {HERE / name: value for name, value in files.items()}
    for case in itertools.chain(
        corrupt.cases(recorded), corrupt_tlog.cases(), corrupt_certified.cases()
    ):
        path = HERE / "corruptions" / case["format"] / f"{case.pop('name')}.json"
        if path in out:
            sys.exit(f"two corruptions have one name: {path}")
        out[path] = case
    return {
        path: json.dumps(value, indent=1, ensure_ascii=False) + "\n" for path, value in out.items()
    }


def record():
    """Seal a new X-Wing sample with the library; the only thing here that is not the reference."""
    from cryptography.hazmat.primitives import hpke
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private = samples.X_WING_PRIVATE
    key = hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(private[:64]),
        X25519PrivateKey.from_private_bytes(private[64:]),
    )
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    info = samples.seal_info(1, ref.x_wing_public(private))
    blob = suite.encrypt(samples.CONTENT, key.public_key(), info)
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(json.dumps({"private": private.hex(), "blob": ref.b64(blob)}) + "\n")


def read_recorded():
    recorded = json.loads(RECORDED.read_text())
    private = bytes.fromhex(recorded["private"])
    blob = ref.base64.b64decode(recorded["blob"], validate=True)
    info = samples.seal_info(1, ref.x_wing_public(private))
    if ref.open_x_wing(blob, private, info) != samples.CONTENT:
        sys.exit("the recorded X-Wing sample holds something else: run with --record")
    return {"private": private, "blob": blob}


def committed():
    """Path → text of what is there; other people's vectors are in files that are not named here."""
    return {path: path.read_text() for path in (HERE / "corruptions").glob("*/*.json")}


def main():
    if "--record" in sys.argv:
        record()
    files = rendered(read_recorded())
    ours = {path.parent for path in files} - {HERE}
    stale = [path for path in committed() if path.parent in ours and path not in files]
    if "--check" in sys.argv:
        differing = [p for p, text in files.items() if not p.exists() or p.read_text() != text]
        for path in differing + stale:
            print("differs:", path.relative_to(HERE))
        return 1 if differing or stale else 0
    for path in stale:
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
