"""Finds secrets in files, whatever they were written as.

A secret is looked for in pieces: any 8 bytes of it as they are (compression of PostgreSQL's and
pages of SQLite's cut longer runs), and any 16 characters of it in hex, base64 at each of its three
alignments, Python's notation of bytes, or lists of numbers; vectors as float16, float32 and float64
of either byte order, too, and everything in reverse. 8 bytes meet by chance once in 2⁶⁴.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KEY = 8  # bytes compared at once
RUN = 16  # characters of a text that must agree

# Different bytes among the 8: runs of zeros and the like say nothing. Where more than those 8 must
# agree, fewer will do: a small number as float64 is mostly zeros.
MIN_DISTINCT = 5
MIN_DISTINCT_OF_RUN = 3
TABLE_BITS = 22
CHUNK = 16 * 2**20

# Multiplicative hashing, Knuth 6.4: the high bits of the key times 2⁶⁴/φ.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - TABLE_BITS)


@dataclass(frozen=True)
class Secret:
    """Something that must not be found.

    Attributes:
        vector: its numbers, where it has some.
        text: it is made of words, so that 8 bytes of it may stand anywhere: 16 must agree.
    """

    name: str
    data: bytes
    vector: np.ndarray | None = None
    text: bool = False


@dataclass(frozen=True)
class Finding:
    """Where a secret was found, and as what. Not the secret."""

    place: str
    secret: str
    encoding: str

    def __str__(self) -> str:
        return f"{self.place}: {self.secret} as {self.encoding}"


def binary_forms(secret: Secret) -> Iterator[tuple[str, bytes]]:
    yield "bytes", secret.data
    yield "bytes in reverse", secret.data[::-1]
    if secret.vector is not None:
        for kind in ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8"):
            yield kind, secret.vector.astype(kind).tobytes()


def text_forms(secret: Secret) -> Iterator[tuple[str, bytes]]:
    for form, data in (("", secret.data), (" in reverse", secret.data[::-1])):
        yield f"hex{form}", data.hex().encode()
        yield f"HEX{form}", data.hex().upper().encode()
        for skipped in range(3):
            encoded = base64.b64encode(data[skipped : len(data) - (len(data) - skipped) % 3])
            yield f"base64{form} at {skipped}", encoded
            yield f"base64url{form} at {skipped}", encoded.translate(bytes.maketrans(b"+/", b"-_"))
    yield "Python's bytes", repr(secret.data).encode()
    yield "list of numbers", json.dumps(list(secret.data)).encode()
    yield "compact list of numbers", json.dumps(list(secret.data), separators=(",", ":")).encode()
    if secret.vector is not None:
        for kind in (np.float32, np.float64):
            text = ", ".join(str(number) for number in secret.vector.astype(kind))
            yield f"list of {kind.__name__}", text.encode()


class Scanner:
    """Looks for many secrets at once.

    Args:
        secrets: of at least 8 bytes each.
    """

    def __init__(self, secrets: list[Secret]) -> None:
        # Every 8 bytes of a binary form; of a text form every eighth, since 16 equal characters
        # always hold one such whole.
        self._forms: list[tuple[Secret, str, bytes, int]] = []
        keys: list[np.ndarray] = []
        owners: list[np.ndarray] = []
        places: list[np.ndarray] = []
        for secret in secrets:
            forms = [
                (name, data, 1, 4 * KEY if "f8" in name else RUN if secret.text else KEY)
                for name, data in binary_forms(secret)
            ]
            forms += [(*form, KEY, RUN) for form in text_forms(secret)]
            for name, data, step, run in forms:
                if len(data) < KEY:
                    continue
                windows = np.lib.stride_tricks.sliding_window_view(
                    np.frombuffer(data, np.uint8), KEY
                )[::step]
                sorted_bytes = np.sort(windows, axis=1)
                telling = 1 + (np.diff(sorted_bytes, axis=1) != 0).sum(axis=1) >= (
                    MIN_DISTINCT if run == KEY else MIN_DISTINCT_OF_RUN
                )
                at = np.flatnonzero(telling)
                keys.append(np.ascontiguousarray(windows[at]).view("<u8").ravel())
                owners.append(np.full(len(at), len(self._forms)))
                places.append(at * step)
                self._forms.append((secret, name, data, min(run, len(data))))
        joined = np.concatenate(keys)
        order = np.argsort(joined, kind="stable")
        self._keys = joined[order]
        self._owners = np.concatenate(owners)[order]
        self._places = np.concatenate(places)[order]
        self._table = np.zeros(2**TABLE_BITS, np.bool_)
        self._table[(self._keys * _FACTOR) >> _SHIFT] = True

    def in_bytes(self, place: str, data: bytes) -> set[Finding]:
        """Everything found in `data`."""
        found: set[Finding] = set()
        for start in range(0, max(1, len(data)), CHUNK):
            found |= self._in_chunk(place, data[start : start + CHUNK + 4 * KEY])
        return found

    def in_folders(self, *folders: Path) -> set[Finding]:
        """Everything found in every file below the folders."""
        found: set[Finding] = set()
        for path in files(*folders):
            try:
                found |= self.in_bytes(str(path), path.read_bytes())
            except FileNotFoundError:
                continue  # a database's own temporary file, gone since
        return found

    def _in_chunk(self, place: str, data: bytes) -> set[Finding]:
        found: set[Finding] = set()
        for shift in range(KEY):
            count = (len(data) - shift) // KEY
            if count <= 0:
                break
            values = np.frombuffer(data, "<u8", count, shift)
            likely = np.flatnonzero(self._table[(values * _FACTOR) >> _SHIFT])
            here = values[likely]
            first = np.searchsorted(self._keys, here, "left")
            last = np.searchsorted(self._keys, here, "right")
            for row in np.flatnonzero(last > first):
                at = int(likely[row]) * KEY + shift
                for match in range(int(first[row]), int(last[row])):
                    secret, name, form, run = self._forms[self._owners[match]]
                    finding = Finding(place, secret.name, name)
                    if finding not in found and _agrees(
                        data, at, form, int(self._places[match]), run
                    ):
                        found.add(finding)
        return found


def _agrees(data: bytes, at: int, form: bytes, place: int, run: int) -> bool:
    """Whether `run` bytes around data[at] and form[place] are equal."""
    before = 0
    while (
        before < run
        and min(at, place) > before
        and data[at - before - 1] == form[place - before - 1]
    ):
        before += 1
    length = 0
    limit = min(len(data) - at, len(form) - place, run)
    while length < limit and data[at + length] == form[place + length]:
        length += 1
    return before + length >= run


def files(*folders: Path) -> Iterator[Path]:
    """Every plain file below the folders."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path
