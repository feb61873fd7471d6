"""Writes `recorded/aics-tlog.json`: what another implementation says of a log, to compare with.

    pip install aics-tlog && python tests/vectors/record_second_opinion.py

aics-tlog is written by others from the same specifications. The log has 70 thousand entries of
which the i-th is `entry i` in ASCII; its keys are fixed. A proof is its hashes, joined; a tile is
told by its SHA-256.
"""

import base64
import hashlib
import json
import random
from importlib.metadata import version
from pathlib import Path

import aics_tlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OUT = Path(__file__).parent / "recorded" / "aics-tlog.json"
ORIGIN = "second.example/log"
WITNESS = "witness.example/w1"
SIZES = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 70_000]


def b64(data):
    return base64.b64encode(data).decode()


def main():
    drawn = random.Random(0)
    entries = [b"entry %d" % index for index in range(max(SIZES))]
    tree = aics_tlog.MerkleTree(entries, level_cache_sizes=len(SIZES) + 2)
    log, witness = (Ed25519PrivateKey.from_private_bytes(bytes([k]) * 32) for k in (1, 2))
    checkpoints = []
    for size in SIZES:
        root = tree.root(size)
        checkpoint = aics_tlog.Checkpoint(ORIGIN, size, root)
        note = aics_tlog.sign_checkpoint(checkpoint, log, ORIGIN)
        time = 1_800_000_000 + size
        _, line = aics_tlog.sign_cosignature(witness, WITNESS, time, ORIGIN, size, root)
        both = aics_tlog.Note(text=note.text, signatures=(*note.signatures, line))
        checkpoints.append({"size": size, "time": time, "note": both.serialise()})
    inclusion = [
        {"index": index, "size": size, "proof": b64(b"".join(tree.inclusion_proof(index, size)))}
        for size in SIZES
        if size
        for index in sorted({0, size - 1, size // 2, *(drawn.randrange(size) for _ in range(2))})
    ]
    consistency = [
        {"old": old, "new": new, "proof": b64(b"".join(tree.consistency_proof(old, new)))}
        for new in SIZES
        for old in SIZES
        if 0 < old < new
    ]
    few = 1000
    tiles = aics_tlog.tiles.materialise_tiles(entries[:few])
    value = {
        "made_by": f"aics-tlog {version('aics-tlog')}",
        "log": aics_tlog.note.format_vkey(
            aics_tlog.vkey_from_ed25519(ORIGIN, log.public_key().public_bytes_raw())
        ),
        "witness": aics_tlog.note.format_vkey(
            aics_tlog.cosignature_vkey(WITNESS, witness.public_key())
        ),
        "checkpoints": checkpoints,
        "inclusion": inclusion,
        "consistency": consistency,
        "tiles": {
            "size": few,
            "sha256": {path: hashlib.sha256(data).hexdigest() for path, data in tiles.items()},
        },
    }
    OUT.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
