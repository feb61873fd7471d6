"""How many true matches stand in a contest, and how many would at other similarities.

    python -m benchmarks.contests --out docs/contests.md

Every photograph is registered once, as the client registers it. The candidates are those of
`benchmarks.recall`: real edits that come with the data, and edits made here. Contested is what
`sscd-1` alone would exclude: a candidate at .50 or more of a record. It stands where the candidate
or one of its five crops reaches the similarity in question.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall import SHARED, Count, candidates, read_copies, read_photographs
from consent_client.fingerprints import sscd
from consent_client.fingerprints.crops import crop_fingerprints
from consent_client.fingerprints.images import (
    fingerprint_image,
    load_models,
    registration_fingerprints,
)
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import space
from registry.matching.policies import STANDS_FROM

LEVELS = (0.55, 0.60, 0.65, 0.70)
ALL = "all of them"
OTHERS = "another photograph's record"


def _vectors(values: Sequence[bytes]) -> NDArray[np.float32]:
    return decode_floats(b"".join(values), space(sscd.SPACE))


def measure() -> dict[str, list[Count]]:
    """Edit → for each of `LEVELS`, how many of the contested stand."""
    originals, real = read_copies(SHARED / "copies")
    originals += read_photographs(SHARED / "photos")
    models = load_models((sscd.SPACE,))
    model = sscd.load_model()
    records = [
        _vectors(
            registration_fingerprints(each.data, (sscd.SPACE,), models=models).fingerprints[
                sscd.SPACE
            ]
        )
        for each in originals
    ]
    owners = np.repeat(np.arange(len(records)), [len(each) for each in records])
    known = np.concatenate(records)
    threshold = space(sscd.SPACE).threshold or 1.0
    counts: dict[str, list[Count]] = {}
    for candidate, data in candidates(originals, real):
        made = fingerprint_image(data, (sscd.SPACE,), models=models).fingerprints[sscd.SPACE]
        best = _best(_vectors(made), known, owners)
        if best.max() < threshold:
            continue
        views = best
        if best.max() < LEVELS[-1] or (best >= threshold).sum() > 1:
            crops = _vectors(crop_fingerprints(data, model)[sscd.SPACE])
            views = np.maximum(best, _best(crops, known, owners))
        for owner in np.flatnonzero(best >= threshold).tolist():
            names = (candidate.edit, ALL) if owner == candidate.original else (OTHERS,)
            for name in names:
                of_edit = counts.setdefault(name, [Count() for _ in LEVELS])
                for level, count in zip(LEVELS, of_edit, strict=True):
                    count.add(hit=bool(views[owner] >= level))
    return counts


def _best(
    views: NDArray[np.float32], known: NDArray[np.float32], owners: NDArray[np.int64]
) -> NDArray[np.float32]:
    """float32[records]: how near any of the views comes to each record."""
    best = np.full(int(owners.max()) + 1, -1, np.float32)
    np.maximum.at(best, owners, (views @ known.T).max(axis=0))
    return best


def markdown(counts: dict[str, list[Count]]) -> str:
    """The page."""
    heads = ["edit", *(f"at {level:.2f}" for level in LEVELS)]
    lines = [
        "# What stands in a contest",
        "",
        "Of the edited copies that `sscd-1` finds at .50, how many stand when they are contested,",
        f"at the similarity that counts ({STANDS_FROM:.2f}) and at others. Made by",
        "",
        "    python -m benchmarks.contests --out docs/contests.md",
        "",
        "and not edited by hand, with the photographs and edits of [recall.md](recall.md). Cells",
        "are counts, shares, and Wilson's 95 % interval in per cent. What `sha256` or `pdq-1` find",
        "stands in any case and is not set apart here.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{' --- |' * len(heads)}",
    ]
    ordered = [name for name in counts if name not in {ALL, OTHERS}]
    for name in (*ordered, *(each for each in (ALL, OTHERS) if each in counts)):
        cells = [count.cell() for count in counts[name]]
        lines.append(f"| {' | '.join([name, *cells])} |")
    if OTHERS not in counts:
        lines += ["", "No candidate came to .50 of another photograph's record."]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write to this file instead of printing")
    options = parser.parse_args(arguments)
    text = markdown(measure())
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
