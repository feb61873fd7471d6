"""What a threshold for every record costs, and what it spares: recall and false matches by kind.

    python -m benchmarks.specificity --packages FOLDER --out docs/specificity.md

Pictures of packages that the bank knows nothing of (fetched into FOLDER with `apt-get download`
where they are not there), drawn pages with numbers beyond the bank's, and the photographs in
../shared/data are registered as the client registers them; edits of each are screened as the client
screens them. Nothing here was used to make the bank or to choose a number of the policies.
"""

import argparse
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recall import EDITS, SAME, SHARED, Count, read_copies, read_photographs
from consent_client.errors import ImageError
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.crops import contest_crops
from consent_client.fingerprints.images import load_models, registration_fingerprints
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import SPACES
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import BY_SIZE, Policy, Thresholds
from registry.services.contested import STANDS_FROM
from scripts.bank.__main__ import fetched, fonts_of, members
from scripts.bank.drawn import draw
from scripts.bank.sources import FONT_PACKAGES

SPACE = SPACES["sscd-1"]

HELD_OUT = (
    ("mate-backgrounds", "*", "photograph or art", 30),
    ("ukui-wallpapers", "*", "photograph or art", 12),
    ("gnome-user-docs", "*", "screenshot or icon", 60),
    ("imagemagick-6-doc", "*", "figure", 60),
    ("gnuplot-doc", "*", "chart, drawn elsewhere", 12),
)
"""Package, pattern, kind and how many at most."""

BEYOND = 100_000
"""Drawn pictures from this number on are not in the bank."""

DRAWN = ("page", "form", "table", "chart", "screenshot", "map")
OF_EACH = 40

TRIED = (
    "JPEG 30",
    "half the size",
    "mirrored",
    "grey",
    "cropped to 70 % of each side",
    "cropped to 50 % of each side",
    "caption below",
    "screenshot",
)
"""Edits of `benchmarks.recall`; the two harshest of those kinds are among them."""

SIZES = (10_000, 100_000, 1_000_000)
_LEAST_SIDE = 64
_SMALL, _MEDIUM = (policy for _, policy in BY_SIZE)
_PLAIN = _SMALL.stricter(SPACE.id, SPACE.threshold or 0.5)
RULES: tuple[tuple[str, Policy, bool], ...] = (
    ("0.50 for all", _PLAIN, False),
    ("small", _SMALL, False),
    ("small, contested", _SMALL, True),
    ("medium", _MEDIUM, False),
    ("medium, contested", _MEDIUM, True),
)
"""What it is called, the policy, and whether exclusions are contested with five crops."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, where it is from and of which kind."""

    name: str
    kind: str
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Tally:
    """What was counted of one kind."""

    pictures: int = 0
    much_alike: int = 0
    generic: int = 0
    found: dict[str, dict[str, Count]] = field(default_factory=dict)  # rule → edit
    false: dict[str, Count] = field(default_factory=dict)  # rule → pairs


def pictures(packages: Path) -> Iterator[Picture]:
    """All that is registered."""
    originals, _ = read_copies(SHARED / "copies")
    for original in [*read_photographs(SHARED / "photos"), *originals]:
        yield Picture(original.name, "photograph", original.data)
    for path in sorted((SHARED / "faces").glob("*.jpg")):
        yield Picture(path.name, "portrait", path.read_bytes())
    files = fetched(packages, [*{each[0] for each in HELD_OUT}, *FONT_PACKAGES])
    for package, pattern, kind, most in HELD_OUT:
        names = sorted(n for n, _ in members(files[package]) if fnmatchcase(n, pattern))
        step = max(1, len(names) // most)
        for name, data in members(files[package], set(names[::step][:most])):
            small = reduced(data)
            if small is not None:
                yield Picture(f"{package} {name}", kind, small)
    fonts = fonts_of([files[name] for name in FONT_PACKAGES], packages / "fonts")
    for kind in DRAWN:
        for number in range(BEYOND, BEYOND + OF_EACH):
            yield Picture(f"{kind} {number}", f"{kind}, drawn", saved(draw(kind, number, fonts)))


def reduced(data: bytes) -> bytes | None:
    """A picture at most 800 pixels long, on white; None for what is too small or is none."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGBA")
    except (OSError, ValueError):
        return None
    if min(picture.size) < _LEAST_SIDE:
        return None
    picture.thumbnail((800, 800))
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    return saved(flat)


def saved(picture: Image.Image) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def screened(chosen: Sequence[Picture]) -> Iterator[tuple[tuple[int, str], bytes]]:
    """Picture and edit of all that is screened."""
    for number, picture in enumerate(chosen):
        yield (number, SAME), picture.data
        with Image.open(io.BytesIO(picture.data)) as opened:
            whole = opened.convert("RGB")
        for edit in TRIED:
            yield (number, edit), EDITS[edit](whole)


def cropped(data: bytes) -> Iterator[bytes]:
    """The five crops of a candidate."""
    with Image.open(io.BytesIO(data)) as opened:
        for crop in contest_crops(opened.convert("RGB")):
            yield saved(crop)


def measure(chosen: Sequence[Picture]) -> dict[str, Tally]:
    """Registers everything, screens everything, and counts."""
    models, bank = load_models([SPACE.id]), packaged_bank()
    owners: list[int] = []
    registered: list[NDArray[np.float32]] = []
    tallies: dict[str, Tally] = defaultdict(Tally)
    for number, picture in enumerate(chosen):
        made = registration_fingerprints(picture.data, [SPACE.id], models=models).fingerprints
        registered.append(decode_floats(b"".join(made[SPACE.id]), SPACE))
        owners += [number] * len(made[SPACE.id])
        tally = tallies[picture.kind]
        tally.pictures += 1
        tally.generic += bool(bank.too_generic(made))
        tally.much_alike += bool((bank.nearest(SPACE.id, registered[-1]) > 0.40).all())
    records, owner = np.concatenate(registered), np.array(owners)
    nearest = bank.nearest(SPACE.id, records)
    thresholds = {name: _of(policy).of(nearest) for name, policy, _ in RULES}
    seen: dict[tuple[int, str], NDArray[np.float32]] = {}
    for key, found in fingerprint_many(screened(chosen), [SPACE.id], models=models):
        if isinstance(found, ImageError):
            raise found
        seen[key] = records @ decode_floats(found.fingerprints[SPACE.id][0], SPACE)[0]
    best = {key: similarities.copy() for key, similarities in seen.items()}
    crops = (
        ((key, place), crop)
        for key, data in screened(chosen)
        if _in_doubt(seen[key], thresholds)
        for place, crop in enumerate(cropped(data))
    )
    for (key, _), found in fingerprint_many(crops, [SPACE.id], models=models):
        if isinstance(found, ImageError):
            raise found
        view = records @ decode_floats(found.fingerprints[SPACE.id][0], SPACE)[0]
        np.maximum(best[key], view, out=best[key])
    for (number, edit), similarities in seen.items():
        near = best[number, edit]
        _count(tallies[chosen[number].kind], number, edit, similarities, near, owner, thresholds)
    return dict(tallies)


def _in_doubt(seen: NDArray[np.float32], thresholds: dict[str, NDArray[np.float32]]) -> bool:
    """Whether some match rests on so little that a contest may make it fall."""
    weak = seen < STANDS_FROM
    return any(bool((weak & (seen >= each)).any()) for each in thresholds.values())


def _of(policy: Policy) -> Thresholds:
    found = policy.thresholds(SPACE.id)
    assert found is not None
    return found


def _count(
    tally: Tally,
    number: int,
    edit: str,
    seen: NDArray[np.float32],
    near: NDArray[np.float32],
    owner: NDArray[np.int64],
    thresholds: dict[str, NDArray[np.float32]],
) -> None:
    for name, _, contested in RULES:
        stands = seen >= thresholds[name]
        if contested:
            stands &= near >= STANDS_FROM
        matched = np.unique(owner[stands])
        found = tally.found.setdefault(name, {}).setdefault(edit, Count())
        found.add(hit=number in matched)
        pairs = tally.false.setdefault(name, Count())
        pairs.hits += int((matched != number).sum())
        pairs.of += len(np.unique(owner)) - 1


def page(tallies: dict[str, Tally], command: str) -> str:
    """The document."""
    names = [name for name, _, _ in RULES]
    everything = sum(each.pictures for each in tallies.values())
    lines = [
        "# Specificity",
        "",
        "What a threshold for every record costs, and what it spares. Made by",
        "",
        f"    {command}",
        "",
        "and not edited by hand. How records get their thresholds is told in",
        "[decision 0011](decisions/0011-every-record-has-a-threshold-of-its-own.md); the numbers",
        "are in `registry/matching/policies.py`, the bank in `registry/matching/bank/`.",
        "",
        f"{everything} pictures are registered, each in `sscd-1` as it is and mirrored; each is",
        f"screened as it is and in {len(TRIED)} edits. None is in the bank, and none was used to",
        "choose a number. *Contested*: five crops of every excluded candidate are sent too, and",
        f"an exclusion stands only if some view reaches {STANDS_FROM:.2f}. Cells are counts,",
        "shares and Wilson's 95 % interval in per cent.",
        "",
        "## How much like the bank the pictures are",
        "",
        "| kind | pictures | only near-exact copies are found (b > 0.40) | too generic |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {kind} | {each.pictures} | {Count(each.much_alike, each.pictures).cell()} "
        f"| {each.generic} |"
        for kind, each in tallies.items()
    ]
    lines += ["", "## Found, by kind", "", _head("kind", names)]
    for kind, each in tallies.items():
        lines.append(_row(kind, [_sum(each.found[name].values()) for name in names]))
    lines += ["", "## Found, by edit", "", _head("edit", names)]
    for edit in (SAME, *TRIED):
        cells = [_sum(each.found[name][edit] for each in tallies.values()) for name in names]
        lines.append(_row(edit, cells))
    lines += [
        "",
        "## Falsely found: pairs of a candidate and another picture's record",
        "",
        "The kind is the candidate's. Drawn pages of one kind resemble each other more than pages",
        "of different authors do: they are the hard case, not the usual one.",
        "",
        _head("kind", names),
    ]
    for kind, each in tallies.items():
        cells = [_rate(each.false[name]) for name in names]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    photographs = tallies["photograph"].false
    lines += [
        "",
        "## What that would mean for a large registry",
        "",
        "**Extrapolated**, from the upper end of the 95 % interval for photographs: the share of",
        "unrelated photographs that would be excluded wrongly if all records were of photographs",
        "and all pairs independent. No false pair of photographs was seen under rules where the",
        "counts above are 0; the bound then says how little was tried, not how often it happens.",
        "",
        "| records | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for size in SIZES:
        cells = [
            f"≤ {100 * min(1.0, size * photographs[name].interval()[1]):.3g} %" for name in names
        ]
        lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## What this does not say",
        "",
        "- The pictures are few, and edits of one picture are not independent: intervals are",
        "  somewhat too narrow. What happens among millions of photographs is not measured here;",
        "  `consent-registry calibrate` measures it in the field.",
        "- Contests let true copies fall too, hard crops above all: compare the columns.",
        "- Portraits, products and one shop's pictures are hardly represented.",
        "",
    ]
    return "\n".join(lines)


def _sum(counts: Iterable[Count]) -> Count:
    total = Count()
    for each in counts:
        total.hits += each.hits
        total.of += each.of
    return total


def _head(first: str, names: Sequence[str]) -> str:
    return f"| {first} | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names)


def _row(first: str, counts: Sequence[Count]) -> str:
    return f"| {first} | " + " | ".join(each.cell() for each in counts) + " |"


def _rate(count: Count) -> str:
    low, high = count.interval()
    return f"{count.hits} of {count.of} ({low:.1e} to {high:.1e})"


def main(arguments: Sequence[str]) -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.specificity", description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    tallies = measure(list(pictures(asked.packages)))
    command = "python -m benchmarks.specificity --packages FOLDER --out docs/specificity.md"
    written = page(tallies, command)
    if asked.out is None:
        print(written)
    else:
        asked.out.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
