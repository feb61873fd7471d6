"""What snapshots' codes find, what they find falsely, and what they tell of fingerprints.

    python -m benchmarks.snapshots --views views.npz           prints tables for docs/snapshots.md
    python -m benchmarks.snapshots --views views.npz --write   also writes the codings anew

`views.npz` is the cache of `python -m benchmarks.specificity`: fingerprints of pictures and of
their edits, none of them in the bank. The whitening is fitted on the bank. The radius is the least
that finds `RECALL` of what the online stage matches, by the tolerant policy: the stricter ones need
no smaller one, for what they leave out is what resembles many.
"""

import argparse
import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recall import EDITS, SAME, SHARED, read_copies, read_photographs
from benchmarks.specificity_pictures import EDITED, Part
from benchmarks.specificity_views import REGISTERED, Views, nearest_of_rest, tolerant
from consent_client.fingerprints.images import fingerprint_image, registration_fingerprints
from consent_client.protocol.spaces import SPACES
from consent_client.snapshots.codings import (
    MOST_TOP_SHARE,
    BinaryCoding,
    FloatCoding,
    top_share,
)
from registry.matching.packaged_bank import packaged_bank

RECALL: Final = 0.99
VERSION: Final = 1
SEED: Final = 1
CHOSEN: Final = {"sscd-1": 256, "pdq-1": 128}
TRIED_BITS: Final = {"sscd-1": (64, 128, 192, 256, 384), "pdq-1": (64, 96, 128, 192)}
PDQ_PHOTOGRAPHS: Final = 120

_DATA: Final = Path(__file__).parents[1] / "clients/python/src/consent_client/snapshots/data"
_GREATEST = 2**15 - 1
_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured with some number of bits."""

    bits: int
    radius: int
    edits: int
    recall: float
    pairs: int
    false_pair: float
    false_share: float
    elsewhere: float
    leakage: float
    expected: float


# Codings


def float_coding(public: NDArray[np.float32], bits: int, *, whitened: bool = True) -> FloatCoding:
    """Signs of a random projection of what is left after mean and covariance are taken away.

    Args:
        public: float32[n, d] of norm 1: what the whitening is fitted on.
        bits: how many.
        whitened: False only to see what happens without.
    """
    wide = public.astype(np.float64)
    mean = wide.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((wide - mean).T))
    whitening = (vectors / np.sqrt(values)) @ vectors.T if whitened else np.eye(len(mean))
    drawn = np.random.default_rng(SEED).standard_normal((len(mean), len(mean)))
    rows = np.linalg.qr(drawn)[0][:bits] @ whitening
    whole = np.round(rows / np.abs(rows).max() * _GREATEST).astype(np.int16)
    offsets = np.round(whole.astype(np.float64) @ mean * 2.0**24).astype(np.int64)
    return FloatCoding(whole, offsets)


def binary_coding(space_id: str, bits: int) -> BinaryCoding:
    """The bits whose numbers have the least hashes: nobody chose them."""
    order = sorted(
        range(SPACES[space_id].dimension),
        key=lambda at: hashlib.sha256(
            f"consent-registry/snapshot-{space_id}/v1 {at}".encode()
        ).digest(),
    )
    return BinaryCoding(np.array(order[:bits], np.int64))


def halves(vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """As fingerprints: uint8[n, 2 d]."""
    return np.ascontiguousarray(vectors.astype("<f2")).view(np.uint8)


def signs(codes: NDArray[np.uint8], bits: int) -> NDArray[np.float32]:
    """float32[n, bits] of 1 and -1."""
    return np.unpackbits(codes, axis=1, count=bits).astype(np.float32) * 2 - 1


def distances(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hamming distances of rows of signs."""
    found: NDArray[np.float32] = (some.shape[1] - some @ others.T) / 2
    return found


# sscd-1


def inversions(
    coding: FloatCoding, known: NDArray[np.float32], sought: NDArray[np.float32]
) -> dict[str, float]:
    """How near linear inversion comes from codes to vectors that it has not seen.

    "solved" is the least-squares solution of what the coding computes; "learned" is regression on
    public pictures and their codes. Both rebuild the vector less the mean, whitened and as it is.

    Returns:
        Mean cosines of what is rebuilt and what was.
    """
    mean = known.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov((known - mean).T))
    changes = {"whitened": (vectors / np.sqrt(values)) @ vectors.T, "as it is": np.eye(len(mean))}
    codes = signs(coding.codes(halves(known)), coding.bits).astype(np.float64)
    seen = signs(coding.codes(halves(sought)), coding.bits).astype(np.float64)
    out = {}
    for name, change in changes.items():
        rows = coding.rows.astype(np.float64) @ np.linalg.inv(change)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        true = (sought - mean) @ change
        ridge = len(codes) * np.eye(coding.bits)
        learned = np.linalg.solve(codes.T @ codes + ridge, codes.T @ ((known - mean) @ change))
        out[f"solved, {name}"] = mean_cosine(seen @ np.linalg.pinv(rows).T, true)
        out[f"learned, {name}"] = mean_cosine(seen @ learned, true)
    return out


def mean_cosine(some: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Of rows with rows."""
    cosines = np.einsum("ij,ij->i", some, others)
    return float((cosines / np.linalg.norm(some, axis=1) / np.linalg.norm(others, axis=1)).mean())


def sscd_rows(views: Views) -> list[Row]:
    """Every number of bits that was tried."""
    return [sscd_row(views, bits) for bits in TRIED_BITS["sscd-1"]]


def sscd_row(views: Views, bits: int) -> Row:
    """One number of bits."""
    bank = packaged_bank().vectors["sscd-1"]
    coding = float_coding(bank, bits)
    if top_share(coding, halves(bank)) > MOST_TOP_SHARE:
        raise SystemExit("the projection is not white")
    nearest = np.concatenate([_nearest_edits(views, coding, part) for part in Part])
    radius = int(np.quantile(nearest, RECALL, method="higher"))
    records, least = _registered_most(bank)
    codes = signs(coding.codes(halves(records)), bits)

    def falsely(of: Sequence[Any]) -> NDArray[np.bool_]:
        seen = views.of([(each.source, SAME, REGISTERED[0]) for each in of])
        near = distances(signs(coding.codes(halves(seen)), bits), codes) <= radius
        found: NDArray[np.bool_] = near & ~(seen @ records.T >= least)
        return found

    every = falsely(views.pictures)
    elsewhere = falsely(
        [each for each in views.pictures if each.part is Part.OTHER and each.kind in EDITED]
    )
    every_picture = views.of([(each.source, SAME, REGISTERED[0]) for each in views.pictures])
    return Row(
        bits=bits,
        radius=radius,
        edits=len(nearest),
        recall=float((nearest <= radius).mean()),
        pairs=every.size,
        false_pair=float(every.mean()),
        false_share=float(every.any(axis=1).mean()),
        elsewhere=float(elsewhere.any(axis=1).mean()),
        leakage=max(inversions(coding, bank, every_picture).values()),
        expected=math.sqrt(2 * bits / (math.pi * bank.shape[1])),
    )


def _nearest_edits(views: Views, coding: FloatCoding, part: Part) -> NDArray[np.float32]:
    """Of each edit that matches its original online: how near its code is to one that matches."""
    registered = [
        (each.source, SAME, view)
        for each in views.pictures
        if each.part is part
        for view in REGISTERED
    ]
    inside = {each.source for each in views.pictures if each.part is part}
    edits = [
        key for key in views.vectors if key[0] in inside and key[1] != SAME and key[2] == "whole"
    ]
    records, seen = views.of(registered), views.of(edits)
    least = tolerant().of(packaged_bank().nearest("sscd-1", records))
    own = np.array([key[0] for key in edits])[:, None] == np.array([key[0] for key in registered])
    matches = (seen @ records.T >= least) & own
    near = distances(
        signs(coding.codes(halves(seen)), coding.bits),
        signs(coding.codes(halves(records)), coding.bits),
    )
    found: NDArray[np.float32] = np.where(matches, near, np.inf).min(axis=1)[matches.any(axis=1)]
    return found


def _registered_most(
    bank: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The bank's pictures of the kinds that people register most, and from where on they match."""
    folder = files("registry.matching") / "bank"
    about = json.loads((folder / f"bank-{packaged_bank().version}.json").read_text())
    names = [kind["name"] for kind in about["kinds"]]
    data = (folder / f"bank-{packaged_bank().version}.npz").read_bytes()
    with np.load(io.BytesIO(data)) as arrays:
        chosen = np.array([names[at] in EDITED for at in arrays["kind"]])
    return bank[chosen], tolerant().of(nearest_of_rest(bank))[chosen]


# pdq-1


def pdq_rows(views: Views, photographs: int) -> list[Row]:
    """Every number of bits that was tried."""
    registered, edits = _pdq_codes(photographs)
    bank = packaged_bank().codes["pdq-1"]
    records = np.concatenate(
        [views.codes[each.source] for each in views.pictures if each.source in views.codes]
    )
    rows = []
    for bits in TRIED_BITS["pdq-1"]:
        coding = binary_coding("pdq-1", bits)
        radius_online = SPACES["pdq-1"].radius or 0
        nearest = []
        for of, code in edits:
            online = distances(signs(code[None], 256), signs(registered[of], 256))[0]
            matching = online <= radius_online
            if matching.any():
                near = distances(
                    signs(coding.codes(code[None]), bits),
                    signs(coding.codes(registered[of]), bits),
                )[0]
                nearest.append(near[matching].min())
        found = np.array(nearest)
        # No edit lies as far away as may match: the radius is for one that does.
        radius = _hypergeometric(SPACES["pdq-1"].dimension, radius_online, bits)
        candidates, pairs, false = 0, 0, 0
        for start in range(0, len(bank), _AT_A_TIME):
            asked = bank[start : start + _AT_A_TIME]
            near = distances(signs(coding.codes(asked), bits), signs(coding.codes(records), bits))
            wrong = (near <= radius) & ~(
                distances(signs(asked, 256), signs(records, 256)) <= radius_online
            )
            candidates += int(wrong.any(axis=1).sum())
            false += int(wrong.sum())
            pairs += wrong.size
        rows.append(
            Row(
                bits=bits,
                radius=radius,
                edits=len(found),
                recall=float((found <= radius).mean()),
                pairs=pairs,
                # where none was seen, what three in as many would be: at most that, 19 times in 20
                false_pair=max(false, 3) / pairs,
                false_share=candidates / len(bank),
                elsewhere=candidates / len(bank),
                leakage=math.sqrt(bits / 256),
                expected=math.sqrt(bits / 256),
            )
        )
    return rows


def _hypergeometric(dimension: int, different: int, bits: int) -> int:
    """Least radius that `RECALL` of pairs that differ in so many bits keep in a sample of them."""
    every = math.comb(dimension, bits)
    share = 0.0
    for radius in range(bits + 1):
        share += (
            math.comb(different, radius) * math.comb(dimension - different, bits - radius) / every
        )
        if share >= RECALL:
            return radius
    raise AssertionError("a share of more than everything")


def _pdq_codes(
    photographs: int,
) -> tuple[dict[int, NDArray[np.uint8]], list[tuple[int, NDArray[np.uint8]]]]:
    registered, edits = {}, []
    originals = read_photographs(SHARED / "photos") + read_copies(SHARED / "copies")[0]
    for number, original in enumerate(originals[:photographs]):
        made = registration_fingerprints(original.data, ["pdq-1"]).fingerprints
        if "pdq-1" not in made:
            continue
        codes = np.frombuffer(b"".join(made["pdq-1"]), np.uint8)
        registered[number] = codes.reshape(-1, 32)
        with Image.open(io.BytesIO(original.data)) as opened:
            image = opened.convert("RGB")
        for change in EDITS.values():
            seen = fingerprint_image(change(image), ["pdq-1"]).fingerprints
            if "pdq-1" in seen:
                edits.append((number, np.frombuffer(seen["pdq-1"][0], np.uint8)))
    return registered, edits


# What comes out


def main() -> None:
    """Prints, and writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--views", type=Path, required=True, help="cache of benchmarks.specificity")
    parser.add_argument("--write", action="store_true", help="write the codings anew")
    parser.add_argument("--photographs", type=int, default=PDQ_PHOTOGRAPHS, help="for pdq-1")
    given = parser.parse_args()
    views = Views.load(given.views)
    tables = {"sscd-1": sscd_rows(views), "pdq-1": pdq_rows(views, given.photographs)}
    for name, rows in tables.items():
        print(_table(name, rows))
    bank = packaged_bank().vectors["sscd-1"]
    every_picture = views.of([(each.source, SAME, REGISTERED[0]) for each in views.pictures])
    for whitened in (True, False):
        coding = float_coding(bank, CHOSEN["sscd-1"], whitened=whitened)
        reached = inversions(coding, bank, every_picture)
        told = ", ".join(f"{name} {cosine:.3f}" for name, cosine in reached.items())
        print(
            f"\n{'whitened' if whitened else 'not whitened'}: greatest eigenvalue "
            f"{top_share(coding, halves(bank)):.2f}; inversion reaches: {told}"
        )
    if given.write:
        _write(tables)


def _table(name: str, rows: Sequence[Row]) -> str:
    head = "bits|radius|edits|recall|false pairs|false candidates|from elsewhere|leakage|expected"
    lines = [f"\n{name}\n", f"| {head.replace('|', ' | ')} |", "|---" * 9 + "|"]
    for row in rows:
        pairs = f"{row.false_pair:.1e} of {row.pairs:.1e}"
        numbers = (row.bits, row.radius, row.edits, f"{row.recall:.4f}", pairs)
        shares = (row.false_share, row.elsewhere, row.leakage, row.expected)
        cells = (*numbers, *(f"{share:.3f}" for share in shares))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _write(tables: dict[str, list[Row]]) -> None:
    about = {}
    for name, rows in tables.items():
        row = next(each for each in rows if each.bits == CHOSEN[name])
        buffer = io.BytesIO()
        if name == "pdq-1":
            np.savez(buffer, allow_pickle=False, positions=binary_coding(name, row.bits).positions)
        else:
            made = float_coding(packaged_bank().vectors[name], row.bits)
            np.savez(buffer, allow_pickle=False, rows=made.rows, offsets=made.offsets)
        (_DATA / f"{name}.npz").write_bytes(buffer.getvalue())
        about[name] = {
            "version": VERSION,
            "radius": row.radius,
            "recall": row.recall,
            "falsePair": row.false_pair,
            "leakage": row.leakage,
            "expectedLeakage": row.expected,
            "measured": {"edits": row.edits, "pairs": row.pairs, "bank": packaged_bank().version},
        }
    (_DATA / "codings.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
