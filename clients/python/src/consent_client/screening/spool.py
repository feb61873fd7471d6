"""Fingerprints of a data set on the disk, in the order of its pictures' digests.

A committed screening asks in the manifest's order, which no data set has, and commits to
fingerprints before the first answer: so they are computed once, kept beside the results while the
screening runs, and removed when it is done. Interrupted, what was computed is not computed again.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from consent_client.errors import OutputError, SourceChanged
from consent_client.protocol.fingerprints import decode_list, encode_list, image_digest
from consent_client.protocol.manifests import row

SPOOL_NAME: Final = "fingerprints.db"

_COMMIT_EVERY: Final = 256
_FILE_MODE: Final = 0o600

_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS image (sha BLOB PRIMARY KEY, list BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS place (number INTEGER PRIMARY KEY, sha BLOB)",
    "CREATE INDEX IF NOT EXISTS of_image ON place (sha)",
)

type Fingerprints = dict[str, tuple[bytes, ...]]


class Spool:
    """A file of fingerprints; open it in a `with`.

    Args:
        folder: where it lies, private to this run.

    Raises:
        OutputError: it can not be used, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SPOOL_NAME
        try:
            self._path.touch(_FILE_MODE)
            self._database = sqlite3.connect(self._path)
            for statement in _TABLES:
                self._database.execute(statement)
            self._waiting = 0
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def add(
        self, number: int, sha: bytes | None, fingerprints: Mapping[str, tuple[bytes, ...]]
    ) -> None:
        """Takes down a row of the data set; without a digest where its picture can not be read.

        Raises:
            SourceChanged: another row has the same file and other fingerprints.
            OutputError: there is no room.
        """
        try:
            self._database.execute("INSERT INTO place VALUES (?, ?)", (number, sha))
            if sha is not None:
                encoded = encode_list(fingerprints)
                self._database.execute(
                    "INSERT INTO image VALUES (?, ?) ON CONFLICT DO NOTHING", (sha, encoded)
                )
                (kept,) = self._one("SELECT list FROM image WHERE sha = ?", sha)
                if kept != encoded:
                    raise SourceChanged("one file was fingerprinted in two ways; use --restart")
            self._waiting += 1
            if self._waiting >= _COMMIT_EVERY:
                self.flush()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def flush(self) -> None:
        """Makes what was added outlive a kill."""
        self._database.commit()
        self._waiting = 0

    def numbers(self) -> Iterator[int]:
        """The rows of the data set that are here."""
        return (number for (number,) in self._all("SELECT number FROM place"))

    def count(self) -> int:
        """How many different pictures there are."""
        (count,) = self._one("SELECT count(*) FROM image")
        return int(count)

    def manifest(self) -> Iterator[bytes]:
        """The manifest's rows, in its order."""
        for sha, encoded in self._all("SELECT sha, list FROM image ORDER BY sha"):
            yield row(sha, image_digest(decode_list(encoded)))

    def candidates(self, start: int, count: int) -> list[Fingerprints]:
        """Fingerprints of some rows of the manifest, in its order."""
        found = self._all("SELECT list FROM image ORDER BY sha LIMIT ? OFFSET ?", count, start)
        return [decode_list(encoded) for (encoded,) in found]

    def places(self) -> Iterator[tuple[int, int | None]]:
        """Row of the data set → row of the manifest, None where its picture could not be read."""
        ranked = (
            "SELECT place.number, ranked.rank FROM place LEFT JOIN "
            "(SELECT sha, row_number() OVER (ORDER BY sha) - 1 AS rank FROM image) AS ranked "
            "ON ranked.sha = place.sha ORDER BY place.number"
        )
        yield from self._all(ranked)

    def remove(self) -> None:
        """Closes it and deletes the file."""
        self._database.close()
        self._path.unlink(missing_ok=True)

    def _all(self, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _one(self, statement: str, *values: object) -> tuple[Any, ...]:
        return next(self._all(statement, *values))

    def _unusable(self, error: Exception) -> OutputError:
        return OutputError(f"{self._path} can not be used: {type(error).__name__}; try --restart")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
