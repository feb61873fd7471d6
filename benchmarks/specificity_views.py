"""The fingerprints that `benchmarks.specificity` counts with, computed once and kept in a file.

Of each picture: what the client registers, and turned copies. Of edits: what the client screens.
Of candidates whose verdict a contest could change, and of pictures that were only measured to see
whether more crops would pay: the five crops of a contest.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recall import EDITS, SAME, SHARED, read_copies
from benchmarks.specificity_pictures import EDITED, Part, Picture, edited, saved
from consent_client.errors import ImageError
from consent_client.fingerprints.batches import crop_many, fingerprint_many
from consent_client.fingerprints.images import (
    fingerprint_image,
    load_models,
    registration_fingerprints,
)
from consent_client.protocol.spaces import SPACES
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import BY_SIZE, Thresholds

SPACE: Final = SPACES["sscd-1"]

TRIED: Final = (
    "saved again, JPEG 90",
    "JPEG 30",
    "half the size",
    "mirrored",
    "turned by 90°",
    "caption below",
    "screenshot",
    "cropped to 70 % of each side",
    "mirrored, cropped to 70 %, with a caption",
    "half of a collage",
    "cropped to 50 % of each side",
)
"""Edits of `benchmarks.recall`, from the lightest to the harshest."""

NEAR: Final = TRIED[:3]
"""Of them, those that make near-exact copies."""

HARSH: Final = TRIED[-4:]
"""Of them, those that take away half of the picture, or change most of what is seen."""

DOUBTED_UP_TO: Final = 0.75
"""A contest is looked at where the whole picture comes less near than this to what it matches:
above every similarity from which a contested match might be said to stand."""

REGISTERED: Final = ("whole", "mirror")
TURNED: Final = ("turned 90", "turned 270")
CROPS: Final = tuple(f"crop {place}" for place in range(5))

_SAVED_EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """A picture without its bytes: the rest as of `Picture`."""

    part: Part
    kind: str
    source: str
    left_out: bool


@dataclass(slots=True)
class Views:
    """Fingerprints by what they are of.

    Attributes:
        everything: all pictures, in order.
        vectors: (source, edit, view) → float16[512], of norm 1 before it was rounded. A view is
            "whole", "mirror", one of `TURNED`, or one of `CROPS`.
        codes: source → the eight PDQ hashes of a registration, uint8[8, 32].
        real: (source, edit) of edits that other people made.
    """

    everything: list[Known] = field(default_factory=list)
    vectors: dict[tuple[str, str, str], NDArray[np.float16]] = field(default_factory=dict)
    codes: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    real: list[tuple[str, str]] = field(default_factory=list)

    @property
    def pictures(self) -> list[Known]:
        """Those that count."""
        return [each for each in self.everything if not each.left_out]

    def save(self, path: Path) -> None:
        """Writes everything to a file."""
        told = {
            "pictures": [
                [each.part.value, each.kind, each.source, each.left_out] for each in self.everything
            ],
            "vectors": list(self.vectors),
            "codes": list(self.codes),
            "real": self.real,
        }
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            told=np.frombuffer(json.dumps(told).encode(), np.uint8),
            vectors=np.array(list(self.vectors.values()), np.float16),
            codes=np.array(list(self.codes.values()), np.uint8),
        )
        beside = path.with_suffix(".new")
        beside.write_bytes(buffer.getvalue())
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Views":
        """What `save` wrote.

        Raises:
            ValueError, KeyError, OSError: not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                told: dict[str, Any] = json.loads(arrays["told"].tobytes())
                vectors, codes = arrays["vectors"], arrays["codes"]
        except zipfile.BadZipFile as error:
            raise ValueError("no cache of fingerprints") from error
        return cls(
            [Known(Part(part), *rest) for part, *rest in told["pictures"]],
            {tuple(key): vector for key, vector in zip(told["vectors"], vectors, strict=True)},
            dict(zip(told["codes"], codes, strict=True)),
            [(source, edit) for source, edit in told["real"]],
        )

    def of(self, keys: Iterable[tuple[str, str, str]]) -> NDArray[np.float32]:
        """float32[n, 512] of norm 1, as the registry reads what it is sent."""
        wide = np.array([self.vectors[key] for key in keys], np.float32).reshape(-1, 512)
        unit: NDArray[np.float32] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        return unit


def gather(pictures: Sequence[Picture], cache: Path | None, workers: int) -> Views:
    """Computes what is missing in a cache, which is written as it goes.

    Raises:
        ImageError: a picture that can not be fingerprinted.
    """
    views = Views.load(cache) if cache is not None and cache.exists() else Views()
    views.everything = [
        Known(each.part, each.kind, each.source, each.left_out) for each in pictures
    ]
    keeper = _Keeper(views, cache)
    _register(pictures, keeper)
    real = list(_real())
    views.real = [(source, edit) for source, edit, _ in real]
    _screen(_edits(pictures, views, real), keeper, workers)
    _crop(_again(pictures, real, doubted(views)), keeper, workers)
    calibration = [each for each in pictures if each.part is Part.CALIBRATION]
    _crop(_again(calibration, (), missed(views)), keeper, workers)
    _turn(calibration, keeper)
    every = set(sampled(views))
    _crop(((p.source, SAME, p.data) for p in calibration if p.source in every), keeper, workers)
    keeper.save()
    return views


@dataclass(slots=True)
class _Keeper:
    """Writes the cache now and then."""

    views: Views
    cache: Path | None
    since: int = 0

    def put(self, source: str, edit: str, view: str, data: bytes) -> None:
        self.views.vectors[source, edit, view] = np.frombuffer(data, np.float16)
        self.since += 1
        if self.since >= _SAVED_EVERY:
            self.save()

    def save(self) -> None:
        self.since = 0
        if self.cache is not None:
            self.views.save(self.cache)


def _register(pictures: Sequence[Picture], keeper: _Keeper) -> None:
    models = load_models([SPACE.id])
    for picture in pictures:
        if (picture.source, SAME, "mirror") not in keeper.views.vectors:
            made = registration_fingerprints(picture.data, ["pdq-1", SPACE.id], models=models)
            for view, data in zip(REGISTERED, made.fingerprints[SPACE.id], strict=True):
                keeper.put(picture.source, SAME, view, data)
            if "pdq-1" in made.fingerprints:
                codes = np.frombuffer(b"".join(made.fingerprints["pdq-1"]), np.uint8)
                keeper.views.codes[picture.source] = codes.reshape(-1, 32)


def _turn(pictures: Sequence[Picture], keeper: _Keeper) -> None:
    models = load_models([SPACE.id])
    turns = dict(zip(TURNED, (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270), strict=True))
    for picture in pictures:
        for name, turn in turns.items():
            if (picture.source, SAME, name) in keeper.views.vectors:
                continue
            made = fingerprint_image(
                saved(_opened(picture.data).transpose(turn)), [SPACE.id], models=models
            )
            keeper.put(picture.source, SAME, name, made.fingerprints[SPACE.id][0])


def _edits(
    pictures: Sequence[Picture], views: Views, real: Sequence[tuple[str, str, bytes]]
) -> Iterator[tuple[tuple[str, str], bytes]]:
    """(source, edit) and file of each edit that is not known yet."""
    for source, edit, data in real:
        if (source, edit, "whole") not in views.vectors:
            yield (source, edit), data
    for picture in edited(pictures):
        missing = [e for e in TRIED if (picture.source, e, "whole") not in views.vectors]
        if missing:
            whole = _opened(picture.data)
            for edit in missing:
                yield (picture.source, edit), EDITS[edit](whole)


def _real() -> Iterator[tuple[str, str, bytes]]:
    """Edits that came with the data: source, edit, file."""
    originals, edits = read_copies(SHARED / "copies")
    for each in edits:
        yield f"shared {originals[each.original].name}", each.edit, each.data


def _screen(edits: Iterable[tuple[tuple[str, str], bytes]], keeper: _Keeper, workers: int) -> None:
    models = load_models([SPACE.id])
    for (source, edit), found in fingerprint_many(edits, [SPACE.id], workers, models=models):
        if isinstance(found, ImageError):
            raise found
        keeper.put(source, edit, "whole", found.fingerprints[SPACE.id][0])


def doubted(views: Views) -> set[tuple[str, str]]:
    """Candidates that match, in the most tolerant policy, something that they are not near to.

    Of the kinds that people register most, unedited, also what resembles anything by chance.
    """
    found = set()
    kind_of = {each.source: each.kind for each in views.pictures}
    of_bank, least_of_bank = bank_records()
    for part in Part:
        records, least, _ = _tolerated(views, part)
        asked = _asked(views, part)
        seen = views.of(asked)
        for known, floor in ((records, least), (of_bank, least_of_bank)):
            near = seen @ known.T
            chance = np.array([key[1] == SAME and kind_of[key[0]] in EDITED for key in asked])
            least_here = np.where(chance[:, None], np.float32(SPACE.threshold or 1), floor)
            rows = ((near >= least_here) & (near < DOUBTED_UP_TO)).any(axis=1)
            found |= {asked[place][:2] for place in np.flatnonzero(rows)}
    return found


def missed(views: Views) -> set[tuple[str, str]]:
    """Edits of what people register most, in the calibration part, that no policy finds."""
    records, least, owners = _tolerated(views, Part.CALIBRATION)
    kind_of = {each.source: each.kind for each in views.pictures}
    asked = [key for key in _asked(views, Part.CALIBRATION) if kind_of[key[0]] in EDITED]
    near = views.of(asked) @ records.T >= least
    return {key[:2] for key, row in zip(asked, near, strict=True) if key[0] not in set(owners[row])}


def sampled(views: Views) -> list[str]:
    """The calibration pictures whose crops are screened whatever they match: every third."""
    return [each.source for each in views.pictures if each.part is Part.CALIBRATION][::3]


def bank_records() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The bank's pictures as records, each measured against the rest of the bank.

    Returns:
        float32[n, 512], and from which similarity on each matches in the most tolerant policy.
    """
    vectors = packaged_bank().vectors[SPACE.id]
    return vectors, tolerant().of(nearest_of_rest(vectors))


def nearest_of_rest(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n]: how alike the nearest other one is, a float16's value."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    nearest: NDArray[np.float32] = likeness.max(axis=1).astype(np.float16).astype(np.float32)
    return nearest


def tolerant() -> Thresholds:
    """Of the policy that lets most match."""
    found = BY_SIZE[0][1].thresholds(SPACE.id)
    assert found is not None
    return found


def _tolerated(
    views: Views, part: Part
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
    """A part's records, from where on each matches in the most tolerant policy, and of what."""
    keys = [
        (each.source, SAME, view)
        for each in views.pictures
        if each.part is part
        for view in REGISTERED
    ]
    records = views.of(keys)
    least = tolerant().of(packaged_bank().nearest(SPACE.id, records))
    return records, least, np.array([source for source, _, _ in keys])


def _asked(views: Views, part: Part) -> list[tuple[str, str, str]]:
    inside = {each.source for each in views.pictures if each.part is part}
    return [key for key in views.vectors if key[0] in inside and key[2] == REGISTERED[0]]


def _again(
    pictures: Sequence[Picture],
    real: Sequence[tuple[str, str, bytes]],
    wanted: set[tuple[str, str]],
) -> Iterator[tuple[str, str, bytes]]:
    """The files of some candidates, made once more."""
    changes: dict[str, Callable[[Image.Image], bytes]] = dict(EDITS)
    for source, edit, data in real:
        if (source, edit) in wanted:
            yield source, edit, data
    for picture in pictures:
        edits = [edit for edit in (SAME, *TRIED) if (picture.source, edit) in wanted]
        whole = _opened(picture.data) if edits else None
        for edit in edits:
            assert whole is not None
            yield picture.source, edit, picture.data if edit == SAME else changes[edit](whole)


def _crop(files: Iterable[tuple[str, str, bytes]], keeper: _Keeper, workers: int) -> None:
    model = load_models([SPACE.id]).sscd
    missing = (
        ((source, edit), data)
        for source, edit, data in files
        if (source, edit, CROPS[0]) not in keeper.views.vectors
    )
    for (source, edit), found in crop_many(missing, model, workers):
        if isinstance(found, ImageError):
            raise found
        for view, data in zip(CROPS, found[SPACE.id], strict=True):
            keeper.put(source, edit, view, data)


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB")
