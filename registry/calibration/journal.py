"""Which portions of a sample were matched, and what: a line each, on disk before the next.

Numbers of images, of records and of log entries, and names of spaces: never a fingerprint or a
similarity. All files are for their owner alone.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from registry.calibration.matching import Hit
from registry.errors import ConfigurationError

PLAN_NAME: Final = "plan.json"
JOURNAL_NAME: Final = "journal.jsonl"
OWNER_ONLY: Final = 0o600

_KIND = "consent-registry/calibration/v1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a calibration looks at, the same over all its runs.

    Attributes:
        run: drawn at random; names this calibration.
        origin: the registry.
        source: digest of the sample's source.
        drawn: rows drawn at random, or None for all.
        seed: of the drawing.
        size: images in the sample.
        spaces: in which they are fingerprinted.
        policies: names and versions of the policies, "small/1".
    """

    run: str
    origin: str
    source: str
    drawn: int | None
    seed: int
    size: int
    spaces: tuple[str, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Portion:
    """A portion that was matched.

    Attributes:
        count: images in it.
        unreadable: of them, those without fingerprints.
        log_size: at which it was matched.
        active_records: active records then.
        policy: name of the policy that new sessions got then.
        hits: what matched.
    """

    count: int
    unreadable: int
    log_size: int
    active_records: int
    policy: str
    hits: tuple[Hit, ...]


class Journal:
    """The journal of one calibration; made by `opened`."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self.portions: list[Portion] = []
        os.ftruncate(file, self._read())

    @property
    def done(self) -> int:
        """Images that were matched or found unreadable."""
        return sum(portion.count for portion in self.portions)

    @property
    def hits(self) -> list[Hit]:
        """All hits, by image and record."""
        return [hit for portion in self.portions for hit in portion.hits]

    def add(self, portion: Portion) -> None:
        """Takes down a portion."""
        hits = [[hit.row, hit.record, dict(hit.spaces)] for hit in portion.hits]
        value = {
            "activeRecords": portion.active_records,
            "count": portion.count,
            "hits": hits,
            "logSize": portion.log_size,
            "policy": portion.policy,
            "unreadable": portion.unreadable,
        }
        os.write(self._file, (json.dumps(value) + "\n").encode())
        os.fsync(self._file)
        self.portions.append(portion)

    def _read(self) -> int:
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # torn by a kill
                try:
                    self.portions.append(_portion(json.loads(line)))
                except (ValueError, TypeError, KeyError, AttributeError):
                    raise ConfigurationError(_damaged(self._path)) from None
                whole += len(line)
        return whole


def _portion(value: dict[str, Any]) -> Portion:
    return Portion(
        count=int(value["count"]),
        unreadable=int(value["unreadable"]),
        log_size=int(value["logSize"]),
        active_records=int(value["activeRecords"]),
        policy=str(value["policy"]),
        hits=tuple(
            Hit(int(row), int(record), {name: tuple(each) for name, each in spaces.items()})
            for row, record, spaces in value["hits"]
        ),
    )


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal in a folder, made if missing.

    Raises:
        ConfigurationError: it is damaged, or can not be used.
    """
    path = folder / JOURNAL_NAME
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
    except OSError as error:
        message = f"{path} can not be used: {error.strerror}."
        raise ConfigurationError(message) from None
    try:
        yield Journal(path, file)
    finally:
        os.close(file)


def settled_plan(folder: Path, now: Plan) -> Plan:
    """The plan in a folder, where it is this one; else this one, written there.

    Raises:
        ConfigurationError: the folder is another calibration's, or holds other things.
    """
    earlier = read_plan(folder)
    if earlier is None:
        if any(folder.iterdir()):
            message = f"{folder} holds other things; name an empty or new folder."
            raise ConfigurationError(message)
        write_private(
            folder / PLAN_NAME, json.dumps({"kind": _KIND, **asdict(now)}, indent=1).encode()
        )
        return now
    same = {**asdict(now), "run": earlier.run, "seed": earlier.seed}
    differing = [name for name, value in asdict(earlier).items() if same[name] != value]
    if differing:
        message = (
            f"Not the same as when this calibration began: {', '.join(differing)}. Begin anew in "
            "another folder."
        )
        raise ConfigurationError(message)
    return earlier


def read_plan(folder: Path) -> Plan | None:
    """The plan in a folder; None where there is none.

    Raises:
        ConfigurationError: it is damaged.
    """
    path = folder / PLAN_NAME
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        if value.pop("kind") == _KIND:
            spaces, policies = tuple(value.pop("spaces")), tuple(value.pop("policies"))
            return Plan(spaces=spaces, policies=policies, **value)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise ConfigurationError(_damaged(path))


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with open(file, "wb") as opened_file:  # noqa: PTH123 (a descriptor, not a path)
        opened_file.write(data)
        opened_file.flush()
        os.fsync(file)
    fresh.replace(path)


def _damaged(path: Path) -> str:
    return f"{path} is damaged; begin anew in another folder."
