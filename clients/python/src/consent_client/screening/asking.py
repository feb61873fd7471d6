"""Asks the registry about blocks, and writes each answer down before the next is asked for."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from consent_client.builder import BLOCK_ROWS, Builder, Candidate, columns_of
from consent_client.errors import RegistryProblem, WrongAnswer
from consent_client.operations import Limits, Screening
from consent_client.protocol.spaces import space
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.journal import AnsweredBlock, Journal
from consent_client.screening.plan import Plan, session_of
from consent_client.screening.results import check_counts

_ASK_ANEW: Final = frozenset({"CONFLICT", "UNKNOWN_SCREENING", "SCREENING_CLOSED"})


class Asking:
    """Asks about a plan's blocks in one session, opened with the first.

    Args:
        builder: connected to the registry.
        plan: what is asked.
        journal: where answers are written down.
        lawful_basis_stated: see `Order`.
    """

    def __init__(
        self, builder: Builder, plan: Plan, journal: Journal, *, lawful_basis_stated: bool
    ) -> None:
        self._builder = builder
        self._plan = plan
        self._journal = journal
        self._lawful_basis_stated = lawful_basis_stated

    def ask(self, block: int, candidates: Sequence[Candidate]) -> int:
        """Asks about one block that is not in the journal; how many of its rows are excluded.

        Raises:
            RegistryProblem, ProtocolError, TransportError, OutputError.
        """
        columns = columns_of(candidates, self._plan.spaces)
        if not self._journal.screenings:
            self._open()
        try:
            answer = self._builder.screen_block(self._session(), block, columns)
        except RegistryProblem as problem:
            if problem.problem_code not in _ASK_ANEW:
                raise
            # Answered before a kill, and the model computes a little differently now; or the
            # session was closed. The rest is asked in a session of its own.
            self._open()
            answer = self._builder.screen_block(self._session(), block, columns)
        checked = np.zeros(len(candidates), np.uint8)
        for k, column in enumerate(columns):
            checked |= column.present.astype(np.uint8) << np.uint8(k)
        screening = self._journal.screenings[-1]
        self._journal.answered(
            AnsweredBlock(screening, block, answer.log_size, answer.verdicts, checked)
        )
        return answer.verdicts.count(Verdict.EXCLUDE)

    def _session(self) -> Screening:
        return session_of(self._plan, self._journal.screenings[-1])

    def _open(self) -> None:
        remaining = self._plan.candidates - self._journal.rows_answered()
        opened = self._builder.open_screening(
            self._plan.dataset,
            Use.from_cawg(self._plan.use),
            self._plan.required_spaces,
            remaining,
            opt_in_spaces=self._plan.opt_in_spaces,
            lawful_basis_stated=self._lawful_basis_stated,
        )
        self._journal.opened(opened.id)


def block_rows(spaces: Sequence[str], limits: Limits) -> int:
    """Rows in a block: as many as the registry takes, in number and in bytes of base64."""
    row_bytes = sum(2 * space(name).most_per_candidate * space(name).size for name in spaces) or 1
    return max(1, min(BLOCK_ROWS, limits.block_images, limits.body_bytes // row_bytes))


def close_sessions(builder: Builder, plan: Plan, journal: Journal) -> None:
    """Closes the sessions that answered, and compares the registry's counts with the journal's.

    Raises:
        WrongAnswer: they differ. RegistryProblem, TransportError.
    """
    for screening in journal.screenings:
        closed = builder.close_screening(session_of(plan, screening))
        if not check_counts(journal, closed):
            raise WrongAnswer("the registry's counts are not those of the answers it gave")
