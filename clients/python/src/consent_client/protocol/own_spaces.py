"""Spaces of an operator's own: what a space file says, and the digest that everybody compares.

A space file is JSON (FORMATS §1). It fixes everything that changes a vector: the model's file and
all that is done to a picture before it. Two parties mean the same space where their definitions
have the same digest, and never otherwise.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from consent_client.errors import BadSpaceFile, Malformed
from consent_client.protocol.canonical_json import canonical

KIND: Final = "consent-registry/space/v1"

MAX_FILE_BYTES: Final = 1 << 16
MAX_DIMENSION: Final = 2_048
"""4,096 bytes of float16: one such vector fits an image's list beside all others."""

MAX_ID_CHARACTERS: Final = 32
MAX_FINDS_CHARACTERS: Final = 200
MAX_OUTPUT_CHARACTERS: Final = 200
MAX_SIDE: Final = 2_048
"""Pixels along a side of a model's input."""

MILLION: Final = 10**6
BILLION: Final = 10**9

MAX_NUMBER: Final = 1e4
"""Greatest mean or deviation: pixels are at most 255."""

LEAST_NUMBER: Final = 1e-4
"""Least of them that is not zero: what canonical JSON writes without an exponent."""

_DOMAIN: Final = b"consent-registry/space/v1\0"
_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CHANNELS: Final = 3


class Layout(StrEnum):
    """Order of a batch's axes: n pictures, channels, height, width."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class Colours(StrEnum):
    """Order of the channels."""

    RGB = "RGB"
    BGR = "BGR"


class Resize(StrEnum):
    """Pillow's filters; all of them widen with the reduction, so that nothing is skipped."""

    BOX = "box"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


class Crop(StrEnum):
    """What becomes of a picture that has another shape than the input."""

    NONE = "none"
    """It is stretched."""
    CENTRE = "centre"
    """It is resized until it covers the input, and what stands over is cut off evenly."""


@dataclass(frozen=True, slots=True)
class Model:
    """The network of a space, and what is done to a picture before.

    A pixel p (0 to 255) of a channel goes in as float32 (p · scale - mean) / deviation.

    Attributes:
        sha256: of the ONNX file, hexadecimal.
        width, height: of its input, in pixels.
        layout: of its input, float32.
        colours: order of the channels; `mean` and `deviation` are in the same order.
        scale: see above.
        mean, deviation: one number a channel.
        resize: filter.
        crop: see `Crop`.
        output: name of the output with one vector for each picture; it need not be of norm 1.
        mirror: whether a picture is registered mirrored, too.
    """

    sha256: str
    width: int
    height: int
    layout: Layout
    colours: Colours
    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    resize: Resize
    crop: Crop
    output: str
    mirror: bool


@dataclass(frozen=True, slots=True)
class OwnCoding:
    """What makes snapshots' codes of the space's fingerprints (FORMATS §7).

    Attributes:
        sha256: of `<id>.npz` beside the space file, hexadecimal: rows and offsets.
        public_sha256: of `<id>.public.npz`: the public sample's mean and covariance, which
            publishing looks at and nobody else needs.
        radius: see `codings.Measured`, as for the others.
        recall_ppm, leakage_ppm, expected_leakage_ppm: millionths.
        false_pair_ppb: thousand-millionths.
    """

    sha256: str
    public_sha256: str
    radius: int
    recall_ppm: int
    false_pair_ppb: int
    leakage_ppm: int
    expected_leakage_ppm: int


@dataclass(frozen=True, slots=True)
class SpaceFile:
    """What a space file says.

    Attributes:
        id: of the space.
        dimension: of its vectors.
        threshold: least cosine that matches, the same for every record.
        finds: in plain words.
        model: what makes its vectors.
        coding: None: the space is in no snapshot.
        definition: digest of all of it, hexadecimal.
    """

    id: str
    dimension: int
    threshold: float
    finds: str
    model: Model
    coding: OwnCoding | None
    definition: str

    @property
    def registered(self) -> int:
        """Fingerprints of a registered picture."""
        return 2 if self.model.mirror else 1


def read_space_file(data: bytes) -> SpaceFile:
    """The space behind a file.

    Raises:
        BadSpaceFile: too long, no JSON, a name that is missing, unknown or twice there, or a value
            that is out of bounds.
    """
    return _space(_parsed(data))


def with_coding(data: bytes, coding: Mapping[str, Any]) -> bytes:
    """The same space file, but with this coding: JSON, indented.

    Raises:
        BadSpaceFile: as `read_space_file`, also of what comes out.
    """
    value = {**_parsed(data), "coding": dict(coding)}
    _space(value)
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise BadSpaceFile(f"a space file has at most {MAX_FILE_BYTES} bytes")
    value = None
    with suppress(ValueError, RecursionError):
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(value, dict):
        raise BadSpaceFile("not one JSON object with every name once")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice")
    return value


def _no_number(_: str) -> float:
    raise ValueError("not a number")


def _space(value: dict[str, Any]) -> SpaceFile:
    names = ("kind", "id", "dimension", "threshold", "finds", "model")
    _names(value, names, "", optional=("coding",))
    if value["kind"] != KIND:
        raise BadSpaceFile(f"kind is not {KIND}")
    space_id = _text(value, "id", MAX_ID_CHARACTERS)
    if not _ID.fullmatch(space_id):
        raise BadSpaceFile("id is not lower-case letters, digits and single hyphens")
    dimension = _whole(value, "dimension", 1, MAX_DIMENSION)
    coding = _coding(value["coding"]) if "coding" in value else None
    return SpaceFile(
        id=space_id,
        dimension=dimension,
        threshold=_number(value, "threshold", LEAST_NUMBER, 1.0),
        finds=_text(value, "finds", MAX_FINDS_CHARACTERS),
        model=_model(value["model"]),
        coding=coding,
        definition=_definition(value),
    )


def _definition(value: dict[str, Any]) -> str:
    with suppress(Malformed):
        return hashlib.sha256(_DOMAIN + canonical(value)).hexdigest()
    raise BadSpaceFile("a text or a number that has no canonical JSON")


def _model(value: Any) -> Model:
    names = ("sha256", "width", "height", "layout", "colours", "scale", "mean", "deviation")
    _names(value, (*names, "resize", "crop", "output", "mirror"), "model")
    if type(value["mirror"]) is not bool:
        raise BadSpaceFile("mirror is true or false")
    deviation = _channels(value, "deviation")
    if min(deviation) <= 0:
        raise BadSpaceFile("deviation is above zero")
    return Model(
        sha256=_digest(value, "sha256"),
        width=_whole(value, "width", 1, MAX_SIDE),
        height=_whole(value, "height", 1, MAX_SIDE),
        layout=_one_of(value, "layout", Layout),
        colours=_one_of(value, "colours", Colours),
        scale=_number(value, "scale", LEAST_NUMBER, MAX_NUMBER),
        mean=_channels(value, "mean"),
        deviation=deviation,
        resize=_one_of(value, "resize", Resize),
        crop=_one_of(value, "crop", Crop),
        output=_text(value, "output", MAX_OUTPUT_CHARACTERS),
        mirror=value["mirror"],
    )


def _coding(value: Any) -> OwnCoding:
    names = ("sha256", "publicSha256", "radius")
    shares = ("recallPpm", "falsePairPpb", "leakagePpm", "expectedLeakagePpm")
    _names(value, (*names, *shares), "coding")
    return OwnCoding(
        _digest(value, "sha256"),
        _digest(value, "publicSha256"),
        _whole(value, "radius", 0, MAX_DIMENSION),
        *(_whole(value, name, 0, BILLION if "Ppb" in name else MILLION) for name in shares),
    )


def _names(value: Any, names: tuple[str, ...], where: str, optional: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise BadSpaceFile(f"{where} is an object")
    missing = [name for name in names if name not in value]
    if missing:
        raise BadSpaceFile(f"{where or 'it'} lacks {', '.join(missing)}")
    if not value.keys() <= {*names, *optional}:
        raise BadSpaceFile(f"{where or 'it'} has names that this version does not know")


def _text(value: dict[str, Any], name: str, longest: int) -> str:
    text = value[name]
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
        raise BadSpaceFile(f"{name} is text of 1 to {longest} printable characters")
    return text


def _digest(value: dict[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str) or not _HEX_DIGEST.fullmatch(text):
        raise BadSpaceFile(f"{name} is 64 lower-case hexadecimal digits")
    return text


def _whole(value: dict[str, Any], name: str, least: int, most: int) -> int:
    number = value[name]
    if type(number) is not int or not least <= number <= most:
        raise BadSpaceFile(f"{name} is a whole number from {least} to {most}")
    return number


def _number(value: dict[str, Any], name: str, least: float, most: float) -> float:
    return _bounded(value[name], name, least, most)


def _bounded(number: Any, name: str, least: float, most: float) -> float:
    if type(number) not in {int, float} or not least <= number <= most:
        raise BadSpaceFile(f"{name} is a number from {least:g} to {most:g}")
    return float(number)


def _channels(value: dict[str, Any], name: str) -> tuple[float, float, float]:
    numbers = value[name]
    if not isinstance(numbers, list) or len(numbers) != _CHANNELS:
        raise BadSpaceFile(f"{name} is three numbers")
    first, second, third = (_bounded(each, name, -MAX_NUMBER, MAX_NUMBER) for each in numbers)
    return first, second, third


def _one_of[Choice: StrEnum](value: dict[str, Any], name: str, choices: type[Choice]) -> Choice:
    found = value[name]
    if not isinstance(found, str) or found not in set(choices):
        raise BadSpaceFile(f"{name} is one of {', '.join(choices)}")
    return choices(found)
