"""Which blocks of a screening were answered, and how: one line each, on disk before the next.

It holds verdicts and which spaces were checked, never a fingerprint: after a kill the unanswered
block is fingerprinted again. Answers to contests come after those to blocks, and replace them.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import OutputError
from consent_client.protocol.encoding import pack_bitmap, unpack_bitmap
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.plan import Plan

JOURNAL_NAME: Final = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class AnsweredBlock:
    """One block's answer.

    Attributes:
        screening: id of the session that answered.
        block: its number.
        log_size: the log size it holds for.
        verdicts: as the registry gave them, a byte per row.
        checked: uint8[rows]: bit k is set where the row had a fingerprint in the plan's k-th space.
    """

    screening: str
    block: int
    log_size: int
    verdicts: bytes = field(repr=False)
    checked: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContestedRows:
    """One contest's answer.

    Attributes:
        screening: id of the session that answered.
        block: the block's number.
        log_size: the log size it holds for.
        rows: bool[rows in the block]: which were contested.
        verdicts: their final verdicts, a byte each.
    """

    screening: str
    block: int
    log_size: int
    rows: NDArray[np.bool_] = field(repr=False)
    verdicts: bytes = field(repr=False)


class Journal:
    """The journal of one screening; open it in a `with`.

    Args:
        folder: where it lies.
        plan: what its lines have to fit.

    Raises:
        OutputError: a line before the last is damaged, or it can not be written.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._path = folder / JOURNAL_NAME
        self._plan = plan
        self.screenings: list[str] = []
        self.blocks: dict[int, AnsweredBlock] = {}
        self.contests: dict[int, list[ContestedRows]] = {}
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self._file, self._read())
        except OSError as error:
            raise OutputError(f"{self._path} can not be used: {error.strerror}") from None

    def _read(self) -> int:
        """Takes in all whole lines; how many bytes they are. What follows was torn by a kill."""
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._take(line)
                whole += len(line)
        return whole

    def _take(self, line: bytes) -> None:
        understood = False
        try:
            value = json.loads(line)
            understood = self._understand(value)
        except (ValueError, KeyError, TypeError, RecursionError):
            understood = False
        if not understood:
            raise OutputError(f"{self._path} is damaged; begin anew with --restart")

    def _understand(self, value: dict[str, Any]) -> bool:
        if "opened" in value:
            self.screenings.append(str(value["opened"]))
            return True
        verdicts = base64.b64decode(value["verdicts"], validate=True)
        if "contested" in value:
            return self._understand_contest(value, verdicts)
        checked = base64.b64decode(value["checked"], validate=True)
        block = value["block"]
        fits = (
            isinstance(block, int)
            and 0 <= block < self._plan.blocks
            and len(verdicts) == len(checked) == self._plan.rows_in(block)
            and max(verdicts) <= max(Verdict)
            and isinstance(value["logSize"], int)
        )
        if fits:
            self.blocks[block] = AnsweredBlock(
                str(value["screening"]),
                block,
                value["logSize"],
                verdicts,
                np.frombuffer(checked, np.uint8),
            )
        return fits

    def _understand_contest(self, value: dict[str, Any], verdicts: bytes) -> bool:
        answered = self.blocks.get(value["contested"])
        if answered is None:
            return False
        bitmap = base64.b64decode(value["contested_rows"], validate=True)
        rows = unpack_bitmap(bitmap, self._plan.rows_in(answered.block))
        excluded = np.frombuffer(answered.verdicts, np.uint8) == Verdict.EXCLUDE
        fits = (
            len(verdicts) == int(rows.sum()) > 0
            and not (rows & ~excluded).any()
            and not any((rows & each.rows).any() for each in self.contests.get(answered.block, ()))
            and max(verdicts) <= max(Verdict)
            and isinstance(value["logSize"], int)
        )
        if fits:
            self.contests.setdefault(answered.block, []).append(
                ContestedRows(
                    str(value["screening"]), answered.block, value["logSize"], rows, verdicts
                )
            )
        return fits

    def opened(self, screening: str) -> None:
        """Takes down that a session was opened."""
        self._write({"opened": screening})
        self.screenings.append(screening)

    def answered(self, answer: AnsweredBlock) -> None:
        """Takes down an answer."""
        self._write(
            {
                "screening": answer.screening,
                "block": answer.block,
                "logSize": answer.log_size,
                "verdicts": base64.b64encode(answer.verdicts).decode(),
                "checked": base64.b64encode(answer.checked.tobytes()).decode(),
            }
        )
        self.blocks[answer.block] = answer

    def contested(self, answer: ContestedRows) -> None:
        """Takes down the answer to a contest."""
        self._write(
            {
                "screening": answer.screening,
                "contested": answer.block,
                "logSize": answer.log_size,
                "contested_rows": base64.b64encode(pack_bitmap(answer.rows)).decode(),
                "verdicts": base64.b64encode(answer.verdicts).decode(),
            }
        )
        self.contests.setdefault(answer.block, []).append(answer)

    def _write(self, value: dict[str, object]) -> None:
        try:
            os.write(self._file, (json.dumps(value) + "\n").encode())
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(f"{self._path} can not be written: {error.strerror}") from None

    def rows_answered(self) -> int:
        """Rows of all answered blocks."""
        return sum(map(self._plan.rows_in, self.blocks))

    def final(self, answer: AnsweredBlock) -> NDArray[np.uint8]:
        """A block's verdicts after contests, a byte per row, as the registry counts them."""
        verdicts = np.frombuffer(answer.verdicts, np.uint8).copy()
        for contest in self.contests.get(answer.block, ()):
            verdicts[contest.rows] = np.frombuffer(contest.verdicts, np.uint8)
        return verdicts

    def in_order(self) -> Iterator[AnsweredBlock]:
        """The answers, by number."""
        for block in sorted(self.blocks):
            yield self.blocks[block]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)
