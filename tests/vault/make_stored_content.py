"""Writes tests/vectors/stored-content.json and its corruptions, straight from FORMATS §4.

    python tests/vault/make_stored_content.py            write them
    python tests/vault/make_stored_content.py --check    say what differs

Of the content it takes the vectors' well-formed sample; with `registry.vault` it shares nothing.
"""

import json
import struct
import sys
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors"
sys.path.insert(0, str(VECTORS))

import reference as ref  # noqa: E402 (found beside the vectors)
import samples  # noqa: E402

FOLDER = VECTORS / "corruptions" / "stored-content"
SIZE = 8_192
BANK = 3
FINGERPRINTS = {**samples.FINGERPRINTS, "face-1": [ref.unit_vector("face", 128)]}
# In the list: face-1, pdq-1, sha256, sscd-1.
FACE, PDQ, SSCD = 1 << 0, 1 << 1, 1 << 3
NEAREST = (0.25, -0.0625)
BODY = samples.STATEMENT + ref.encode_list(FINGERPRINTS)
FRONT = samples.OWNER["opening"] + struct.pack(">I", len(BODY)) + BODY


def content(bank=BANK, bits=SSCD, values=NEAREST, version=2, front=FRONT):
    halves = struct.pack(f"<{len(values)}e", *values)
    data = bytes([version]) + front + struct.pack(">I", bank) + bytes([bits]) + halves
    return data.ljust(SIZE, b"\0")


GOOD = content()
END = 1 + len(FRONT) + 5 + 2 * len(NEAREST)


def put(at, value):
    return GOOD[:at] + bytes([value]) + GOOD[at + 1 :]


def filled(list_bytes, tail):
    """A body of nothing but a claimed length, and what follows it."""
    front = samples.OWNER["opening"] + struct.pack(">I", list_bytes)
    return (b"\x02" + front + bytes(list_bytes) + tail).ljust(SIZE, b"\0")[:SIZE]


def corruptions():
    """(name, error, description, bytes)."""
    for name, description, data in (
        ("empty", "no byte at all", b""),
        ("one-byte-short", "8,191 bytes", GOOD[:-1]),
        ("one-byte-long", "8,193 bytes", GOOD + b"\0"),
        ("version-0", "a version that never was", put(0, 0)),
        ("version-1-with-measures", "measures where layout 1 has padding", put(0, 1)),
        ("version-3", "a version to come", put(0, 3)),
        ("bank-0", "measured against no bank", content(bank=0)),
        ("bank-missing", "nothing but padding after the list", content(0, 0, ())),
        ("a-space-too-many", "a bit beyond the record's spaces", content(bits=SSCD | 1 << 4)),
        ("all-bits", "eight spaces measured of four", content(bits=255)),
        ("space-of-codes", "a binary space measured", content(bits=PDQ, values=(0.25,) * 8)),
        ("space-of-digests", "an exact space measured", content(bits=1 << 2, values=(0.25,))),
        ("a-number-too-many", "three numbers for two vectors", content(values=(0.25,) * 3)),
        ("numbers-of-no-space", "numbers that no bit announces", content(bits=0)),
        ("above-one", "a similarity of 1.5", content(values=(1.5, 0.25))),
        ("below-minus-one", "a similarity of -1.5", content(values=(0.25, -1.5))),
        ("not-a-number", "a NaN", content(values=(float("nan"), 0.25))),
        ("infinite", "an infinity", content(values=(0.25, float("inf")))),
        ("padding-first-byte", "padding that is not zero", put(END, 1)),
        ("padding-last-byte", "padding that is not zero", put(SIZE - 1, 128)),
        ("length-beyond-the-end", "a list longer than the content", filled(SIZE - 36, b"")),
        ("length-4-gib", "the greatest length there can be", GOOD[:33] + b"\xff" * 4 + GOOD[37:]),
        ("length-zero", "no statement, no list", filled(0, b"\0\0\0\x01\0")),
        ("list-one-byte-short", "the list's last byte counts as bank", shorter(1)),
    ):  # fmt: skip
        assert data != GOOD, name
        yield name, "MALFORMED", description, data
    wrong = FRONT.replace(b"sha256", b"sha257")
    yield "unknown-space", "UNKNOWN_SPACE", "a space nobody defined", content(front=wrong)
    unsaid = GOOD[:39] + b"\0" + GOOD[40:]
    yield "statement-says-nothing", "BAD_STATEMENT", "all uses unsaid", unsaid


def shorter(count):
    front = samples.OWNER["opening"] + struct.pack(">I", len(BODY) - count) + BODY
    return content(front=front)


def rendered():
    digest = ref.image_digest(FINGERPRINTS)
    files = {
        VECTORS / "stored-content.json": {
            "bytes": ref.b64(GOOD),
            "bank": BANK,
            "nearest": {"sscd-1": list(NEAREST)},
            "commitment": ref.commitment(samples.OWNER["opening"], samples.STATEMENT, digest).hex(),
        }
    }
    for name, error, description, data in corruptions():
        files[FOLDER / f"{name}.json"] = {
            "format": "stored-content",
            "description": description,
            "input": ref.b64(data),
            "error": error,
        }
    return {path: json.dumps(value, indent=1) + "\n" for path, value in files.items()}


def main():
    files = rendered()
    if "--check" in sys.argv:
        there = {*FOLDER.glob("*"), VECTORS / "stored-content.json"}
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
