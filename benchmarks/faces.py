"""How far apart faces of one person and of different people are, and what a threshold makes of it.

    python -m benchmarks.faces --out docs/faces.md

Real photographs: six portraits of four people in public office (demo/portraits), and where
../shared/data/faces/families is there, family pictures of eight more, whose relatives are the
hardest to tell apart. Each face is computed as the client computes it.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.face_figures import Pair, Rate, Results
from benchmarks.faces_page import markdown
from consent_client.fingerprints import face, face_quality
from consent_client.fingerprints.alignment import aligned
from consent_client.fingerprints.face_models import FaceModel, load_face_model
from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.spaces import space

ROOT = Path(__file__).parents[1]
PORTRAITS = ROOT / "demo" / "portraits"
FAMILIES = ROOT.parent / "shared" / "data" / "faces" / "families"

THRESHOLDS = (0.30, 0.363, 0.40, 0.45, 0.50, 0.55, 0.60)
"""0.363 is what OpenCV's samples of SFace take for "the same person"."""

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


def main(arguments: list[str] | None = None) -> int:
    """Writes the page, or prints everything as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faces", description=__doc__)
    parser.add_argument("--out", type=Path, help="the page to write")
    parser.add_argument("--json", action="store_true", help="print the figures instead")
    options = parser.parse_args(arguments)
    if options.out is not None and not FAMILIES.is_dir():
        parser.error(f"the page is about relatives too, and {FAMILIES} is missing")
    results = measure(load_face_model())
    if options.json:
        print(json.dumps(asdict(results)))
    if options.out is not None:
        command = f"python -m benchmarks.faces --out {options.out}"
        options.out.write_text(markdown(results, command), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
