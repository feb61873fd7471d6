"""Watching a log: one look at its checkpoint, against what was seen before."""

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from consent_client.auditor.keeping import Keeping
from consent_client.auditor.logs import (
    DAY_SECONDS,
    day_text,
    read_checkpoint,
    seen_before,
    vouched_for,
)
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import CHECKPOINT, Source
from consent_client.auditor.view import LogView
from consent_client.errors import BadProof, Malformed
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.log import Day
from consent_client.protocol.policies import Policy

STALE_HOURS: Final = 26.0
"""A DAY entry comes at the first tick after midnight; two hours are for what went wrong then."""

AHEAD_SECONDS: Final = 3_600
"""Clocks differ; a cosignature of a later hour is no witness's."""


@dataclass(slots=True)
class Watch:
    """What was seen of a log while it is watched.

    Attributes:
        source: the log.
        policy: whose signatures are believed.
        keep: of the source; its checkpoints count as seen.
        stale_hours: how long after a day began the next one may be missing.
        newest: the newest checkpoint seen, whose log contains all that was seen.
    """

    source: Source
    policy: Policy
    keep: Keeping
    stale_hours: float = STALE_HOURS
    newest: Checkpoint | None = None
    _day: int = -1
    _day_size: int = 0

    def look(self, now: dt.datetime) -> Report:
        """One look.

        Raises:
            Unreadable, TransportError: the log can not be read.
        """
        report = Report(f"The log at {self.source.name}")
        if self.newest is None:
            self._remember(report)
        note = read_checkpoint(self.source)
        vouched = vouched_for(report, note, self.policy, CHECKPOINT)
        if vouched is None:
            return report
        checkpoint = vouched.checkpoint
        for each in vouched.cosignatures:
            if each.time > now.timestamp() + AHEAD_SECONDS:
                message = f"{each.witness.name} cosigned at a time to come"
                report.fail(Fault.BAD_CHECKPOINT, CHECKPOINT, message)
        view = LogView(self.source, checkpoint)
        grown = self._compare(report, view)
        self.keep.keep_checkpoint(note, checkpoint, contradicts=not grown)
        if grown:
            self.newest = checkpoint
            self._check_fresh(report, view, now)
        return report

    def _remember(self, report: Report) -> None:
        """Takes up the largest log that is kept; forks among what is kept are told too."""
        known = sorted(
            seen_before(report, self.keep.checkpoints(), self.policy),
            key=lambda each: each.checkpoint.size,
        )
        for one, other in pairwise(known):
            same = one.checkpoint.size == other.checkpoint.size
            if same and one.checkpoint.root != other.checkpoint.root:
                message = f"it and {one.name} are of one size and have different roots"
                report.fail(Fault.FORKED, other.name, message)
        if known:
            self.newest = known[-1].checkpoint

    def _compare(self, report: Report, view: LogView) -> bool:
        """Whether the log grew out of the newest checkpoint seen."""
        seen, now = self.newest, view.checkpoint
        if seen is None:
            report.cannot("that it contains what it contained before", "it is the first look")
            return True
        if seen.origin != now.origin:
            report.fail(Fault.BAD_CHECKPOINT, CHECKPOINT, f"before it was that of {seen.origin}")
        elif now.size < seen.size:
            message = f"it has {now.size} entries and had {seen.size}: it went back"
            report.fail(Fault.ROLLED_BACK, CHECKPOINT, message)
        elif now.size == seen.size and now.root != seen.root:
            message = f"two signed checkpoints of {now.size} entries with different roots"
            report.fail(Fault.FORKED, CHECKPOINT, message)
        else:
            try:
                view.check_grown_from(seen)
            except BadProof as error:
                message = (
                    f"it is not shown that it grew out of that of {seen.size}: it is forked, or "
                    f"its tiles are wrong, which consent audit log tells ({error})"
                )
                report.fail(Fault.INCONSISTENT, CHECKPOINT, message)
                return False
            report.holds(f"it grew out of the log of {seen.size} entries that was seen before")
            return True
        return False

    def _check_fresh(self, report: Report, view: LogView, now: dt.datetime) -> None:
        """Whether the day that began last is in the log."""
        try:
            self._find_day(view)
        except (BadProof, Malformed) as error:
            report.fail(Fault.CONTRADICTION, CHECKPOINT, str(error))
            return
        if self._day < 0:
            report.note(Fault.STALE, CHECKPOINT, "there is no DAY entry in the log yet")
            return
        report.facts |= {"newestDay": day_text(self._day)}
        late = now.timestamp() - (self._day * DAY_SECONDS + self.stale_hours * 3_600)
        if late > 0:
            message = f"the newest day in it is {day_text(self._day)}: nothing expires any more"
            report.fail(Fault.STALE, CHECKPOINT, message)
        else:
            report.holds(f"the day {day_text(self._day)} is in the log")

    def _find_day(self, view: LogView) -> None:
        """Finds the newest DAY entry among what is new since it was looked for last."""
        for at, entry in view.backwards():
            if at < self._day_size:
                break
            if isinstance(entry, Day):
                self._day = entry.day
                break
        self._day_size = view.checkpoint.size
