"""Counts, rates and intervals of a judged calibration, and the records to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consent_client.protocol.intervals import clopper_pearson
from registry.calibration.journal import Journal, Plan
from registry.calibration.matching import Hit
from registry.calibration.review import Judgement
from registry.matching.policies import Policy
from registry.services.calibrations import CONFIDENCE, Calibration, PolicyResult

IMAGES_PER_FALSE_HIT: Final = 100_000
"""A record may falsely match one image of so many: in a list of five billion that is some fifty
thousand images left out because of one record. Every record may have one, so that a small sample
accuses nobody."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record with more false hits than its quota.

    Attributes:
        record: index of its REGISTER entry.
        false_images: images that it falsely matches.
        quota: how many it may.
    """

    record: int
    false_images: int
    quota: int


def calibration_of(
    plan: Plan,
    journal: Journal,
    judgements: Sequence[Judgement],
    sample: str,
    policies: Sequence[Policy],
) -> Calibration:
    """What is published.

    Args:
        plan: what was looked at.
        journal: with all of it matched, and at least one image readable.
        judgements: one for each hit.
        sample: the data set's name.
        policies: those of the hits.
    """
    unreadable = sum(portion.unreadable for portion in journal.portions)
    images = journal.done - unreadable
    judged = list(zip(journal.hits, judgements, strict=True))
    return Calibration(
        run=plan.run,
        sample=sample,
        images=images,
        unreadable=unreadable,
        spaces=plan.spaces,
        least_log_size=min(portion.log_size for portion in journal.portions),
        log_size=max(portion.log_size for portion in journal.portions),
        active_records=journal.portions[-1].active_records,
        in_force=journal.portions[-1].policy,
        policies=tuple(_under(policy, images, judged) for policy in policies),
    )


def suspects(calibration: Calibration, judged: Sequence[tuple[Hit, Judgement]]) -> list[Suspect]:
    """Records with more false hits than their quota under the policy in force, worst first."""
    quota = max(1, calibration.images // IMAGES_PER_FALSE_HIT)
    false: dict[int, set[int]] = {}
    for hit, judgement in judged:
        if judgement is Judgement.DIFFERENT and hit.spaces.get(calibration.in_force):
            false.setdefault(hit.record, set()).add(hit.row)
    found = [Suspect(record, len(rows), quota) for record, rows in false.items()]
    return sorted(
        (each for each in found if each.false_images > quota),
        key=lambda each: (-each.false_images, each.record),
    )


def _under(policy: Policy, images: int, judged: Sequence[tuple[Hit, Judgement]]) -> PolicyResult:
    of_image: dict[int, set[Judgement]] = {}
    hits = dict.fromkeys(Judgement, 0)
    for hit, judgement in judged:
        if hit.spaces.get(policy.name):
            hits[judgement] += 1
            of_image.setdefault(hit.row, set()).add(judgement)
    false, unsure = _wrong(of_image)
    low, _ = clopper_pearson(false, images, CONFIDENCE)
    _, high = clopper_pearson(false + unsure, images, CONFIDENCE)
    return PolicyResult(
        name=policy.name,
        version=policy.version,
        hits=sum(hits.values()),
        false_hits=hits[Judgement.DIFFERENT],
        unsure_hits=hits[Judgement.UNSURE],
        matched_images=len(of_image),
        false_images=false,
        unsure_images=unsure,
        rate=false / images,
        low=low,
        high=high,
    )


def _wrong(of_image: Mapping[int, set[Judgement]]) -> tuple[int, int]:
    """Images all of whose hits are false, and further ones none of whose hits is right."""
    false = sum(said == {Judgement.DIFFERENT} for said in of_image.values())
    not_right = sum(Judgement.COPY not in said for said in of_image.values())
    return false, not_right - false
