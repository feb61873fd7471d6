"""What was tried to find more at the same price: other scores, more crops, turned registrations.

Counted on fingerprints that are there already. Each is compared with what the registry does at a
threshold that lets the same number of false pairs match in the calibration part.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall import SAME
from benchmarks.specificity_counts import SMALL, Case, Counted, of_part, table
from benchmarks.specificity_pictures import EDITED, Part
from benchmarks.specificity_views import HARSH, REGISTERED, SPACE, TURNED, Views, sampled
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import Band, Thresholds

NEIGHBOURS: Final = 10
"""In the bank, whose mean likeness is taken off."""

type Scores = NDArray[np.float32]
"""float32[candidates, pictures]: by each picture's best vector."""


def tried(views: Views, inside: Mapping[Part, Case], banks: Mapping[Part, Case]) -> Iterator[str]:
    """The section of the page."""
    yield from (
        "## What was tried to do better",
        "",
        "None of it is in the registry. Two of the three would pay:",
        "",
        "- Taking off the nearest picture of the *candidate* instead of the record's finds far",
        "  more of what resembles the bank, at as many false pairs of the calibration part; in the",
        "  other two parts it lets in more of them (the columns *false*). The registry would have",
        "  to compare every candidate with the bank, and sessions would have to promise it; the",
        "  false pairs would have to be looked through first.",
        "- Registering the picture turned to either side finds turned copies of what resembles the",
        "  bank, for twice the vectors of every record. Copies of photographs are found without.",
        "- Crops on the side of the candidate find some more halves of collages and screenshots,",
        "  for six times the work of everybody who screens: not worth it.",
        "",
    )
    yield from _normalised(views, inside, banks)
    yield from _thorough(views, inside[Part.CALIBRATION])
    yield from _turned(views, inside[Part.CALIBRATION])


def _normalised(
    views: Views, inside: Mapping[Part, Case], banks: Mapping[Part, Case]
) -> Iterator[str]:
    yield from (
        "### Taking off what the bank's neighbours say",
        "",
        "`small` asks for s ≥ b + 0.25. Instead the likeness of a candidate and a record can be",
        "lessened by how much the record, the candidate, or both resemble the bank: by the nearest",
        f"picture, or by the mean of the {NEIGHBOURS} nearest. Each score's threshold is the one",
        "at which as many false pairs of the calibration part match as under `small` without its",
        "ceiling (part and bank together, edits too; at least one), never below s = 0.50. Found",
        "are edits, false are pairs among the part and against the bank.",
        "",
    )
    terms = {
        part: (_of_candidates(views, case), _of_records(views, part))
        for part, case in inside.items()
    }
    of_bank = _top(packaged_bank().vectors[SPACE.id], rest=True)
    bare = _bare(_small())
    rows: dict[str, list[str]] = {}
    chosen: dict[str, float] = {}
    for part in Part:
        case, other = inside[part], banks[part]
        (near_c, mean_c), (near_r, mean_r) = terms[part]
        both = {
            "s (one threshold for all)": (0.0, 0.0, 0.0, 0.0),
            "s - nearest of the record": (0.0, 0.0, 1.0, 0.0),
            "s - mean of the record": (0.0, 0.0, 0.0, 1.0),
            "s - nearest of the candidate": (1.0, 0.0, 0.0, 0.0),
            "s - half of the nearest of both": (0.5, 0.0, 0.5, 0.0),
            "s - half of the means of both": (0.0, 0.5, 0.0, 0.5),
            "s - nearest of both": (1.0, 0.0, 1.0, 0.0),
        }
        own = np.arange(len(case.own)), case.own
        edits = case.edits != SAME
        budget = int(case.false(case.matches(bare)).sum())
        budget += int(other.false(other.matches(bare)).sum())
        for name, (a, b, c, d) in both.items():
            inner = _lessened(case.seen, a * near_c + b * mean_c, c * near_r + d * mean_r)
            outer = _lessened(
                other.seen, a * near_c + b * mean_c, (c * of_bank[0] + d * of_bank[1])[:, None]
            )
            true = inner[own].copy()
            inner[own] = -9
            false = np.concatenate([inner.ravel(), outer.ravel()])
            if part is Part.CALIBRATION:
                chosen[name] = float(np.sort(false)[-max(1, budget) - 1])
            at = np.float32(chosen[name])
            found = Counted(int((true[edits] > at).sum()), int(edits.sum()))
            soft = edits & ~np.isin(case.edits, HARSH)
            light = Counted(int((true[soft] > at).sum()), int(soft.sum()))
            rows.setdefault(name, [f"{at:.3f}"]).extend(
                [light.cell(), found.cell(), f"{int((false > at).sum()):,}"]
            )
    heads = ["score", "from"]
    for part in Part:
        heads += [f"not harsh, {part.value}", f"all, {part.value}", f"false, {part.value}"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for name, cells in rows.items():
        yield f"| {' | '.join([name, *cells])} |"
    yield ""


def _small() -> Thresholds:
    found = SMALL.thresholds(SPACE.id)
    assert found is not None
    return found


def _bare(thresholds: Thresholds) -> Thresholds:
    """Without the ceiling, which is another rule."""
    (only,) = thresholds.bands
    return Thresholds((Band(1.0, only.floor, only.margin, 1.0),))


def _lessened(
    seen: NDArray[np.float32], of_candidates: NDArray[np.float32], of_records: NDArray[np.float32]
) -> Scores:
    """Likeness less what is taken off; what is below 0.50 never matches."""
    scores = seen - of_candidates[:, None, None] - of_records[None]
    scores[seen < np.float32(SPACE.threshold or 0)] = -9
    best: Scores = scores.max(axis=2)
    return best


def _top(vectors: NDArray[np.float32], *, rest: bool = False) -> tuple[NDArray[np.float32], ...]:
    """The nearest in the bank, and the mean of the nearest few; of all but itself, where asked."""
    bank = packaged_bank().vectors[SPACE.id]
    nearest, means = [], []
    for start in range(0, len(vectors), 1024):
        near = vectors[start : start + 1024] @ bank.T
        if rest:
            near[np.arange(len(near)), np.arange(start, start + len(near))] = -1
        top = np.partition(near, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
        nearest.append(top.max(axis=1))
        means.append(top.mean(axis=1))
    return np.concatenate(nearest), np.concatenate(means)


def _of_candidates(views: Views, case: Case) -> tuple[NDArray[np.float32], ...]:
    return _top(views.of((source, edit, REGISTERED[0]) for source, edit in case.candidates))


def _of_records(views: Views, part: Part) -> tuple[NDArray[np.float32], ...]:
    keys = [(p.source, SAME, view) for p in views.pictures if p.part is part for view in REGISTERED]
    return tuple(each.reshape(-1, len(REGISTERED)) for each in _top(views.of(keys)))


def _thorough(views: Views, case: Case) -> Iterator[str]:
    least = _small()
    floor = least.of(case.nearest.ravel()).reshape(case.nearest.shape)
    whole, any_view = case.matches(least), (case.best >= floor).any(axis=2)
    changed = (case.edits != SAME) & np.isin(case.kinds, list(EDITED))
    yield from (
        "### Screening crops too",
        "",
        "The builder sends the five crops of every picture along with it, six fingerprints instead",
        "of one, and a match of any of them counts. Of the calibration part, under `small`: edits",
        f"found, of {', '.join(EDITED)}; and pairs falsely found by every third",
        "picture of any kind, unedited.",
        "",
    )
    rows = {
        "edits that are not harsh": changed & ~np.isin(case.edits, HARSH),
        **{edit: changed & (case.edits == edit) for edit in HARSH},
    }
    yield from table(
        ["edits", "the picture", "the picture or a crop"],
        rows,
        lambda row, head: case.true_rows(
            rows[row], whole if head == "the picture" else any_view
        ).cell(),
    )
    every = set(sampled(views))
    same = (case.edits == SAME) & np.array([source in every for source, _ in case.candidates])
    yield from (
        "",
        f"False pairs: {case.false_pairs(same, whole).rate()} by the picture,",
        f"{case.false_pairs(same, any_view).rate()} by the picture or a crop.",
        "",
    )


def _turned(views: Views, plain: Case) -> Iterator[str]:
    turned = of_part(views, Part.CALIBRATION, (*REGISTERED, *TURNED))
    least = _small()
    edits = ("turned by 90°", "screenshot", "cropped to 70 % of each side")
    yield from (
        "### Registering turned copies",
        "",
        "Four vectors instead of two: the picture turned by 90° to either side is registered too.",
        "Of the calibration part, under `small`.",
        "",
    )
    cases = {"two vectors": plain, "four vectors": turned}
    yield from table(
        ["edits", *cases],
        edits,
        lambda edit, head: (
            (case := cases[head]).true_rows(case.edits == edit, case.matches(least)).cell()
        ),
    )
    rates = [
        case.false_pairs(case.edits == SAME, case.matches(least)).rate() for case in cases.values()
    ]
    yield from ("", f"False pairs: {rates[0]} with two vectors, {rates[1]} with four.", "")
