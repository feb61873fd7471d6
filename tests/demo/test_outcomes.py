"""Verdicts compared with the truth."""

import pytest

from consent_client.protocol.verdicts import Verdict
from demo.dataset import ORIGINAL, Candidate
from demo.outcomes import Outcome, judge
from demo.photographs import PHOTOGRAPHS, Role, with_role

OUT, YES, OTHER = (with_role(role)[0] for role in (Role.OPTED_OUT, Role.CONSENTED, Role.UNRELATED))
IN_FORCE = {OUT.name, YES.name}


@pytest.mark.parametrize(
    ("photograph", "verdict", "outcome"),
    [
        (OUT, Verdict.EXCLUDE, Outcome.EXCLUDED),
        (OUT, Verdict.CLEAR, Outcome.MISSED),
        (OUT, Verdict.PERMIT, Outcome.WRONGLY_PERMITTED),
        (OUT, Verdict.UNKNOWN, Outcome.UNKNOWN),
        (YES, Verdict.PERMIT, Outcome.PERMITTED),
        (YES, Verdict.CLEAR, Outcome.CONSENT_MISSED),
        (YES, Verdict.EXCLUDE, Outcome.WRONGLY_EXCLUDED),
        (OTHER, Verdict.CLEAR, Outcome.KEPT),
        (OTHER, Verdict.EXCLUDE, Outcome.WRONGLY_EXCLUDED),
        (OTHER, Verdict.PERMIT, Outcome.WRONGLY_PERMITTED),
        (OTHER, Verdict.UNKNOWN, Outcome.UNKNOWN),
    ],
)
def test_a_verdict_is_judged_by_what_was_done_to_the_picture(photograph, verdict, outcome) -> None:
    assert judge(Candidate("file", photograph, ORIGINAL), verdict, IN_FORCE) is outcome


def test_after_a_withdrawal_the_same_verdict_is_judged_otherwise() -> None:
    candidate = Candidate("file", OUT, ORIGINAL)
    assert judge(candidate, Verdict.EXCLUDE, {YES.name}) is Outcome.WRONGLY_EXCLUDED
    assert judge(candidate, Verdict.CLEAR, {YES.name}) is Outcome.KEPT


def test_photographs_are_there_and_named_once() -> None:
    assert all(photograph.path.is_file() for photograph in PHOTOGRAPHS)
    assert len({photograph.name for photograph in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
