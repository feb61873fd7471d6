"""How the numbers were chosen: by rules that look at the calibration part only.

Each rule's outcome is compared with what the code has, so that the page says where they differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall import SAME
from benchmarks.specificity_counts import MEDIUM, RULES, SMALL, Case, Counted, table
from benchmarks.specificity_pictures import EDITED, Part
from benchmarks.specificity_views import HARSH, NEAR, REGISTERED, SPACE, Views
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import STANDS_FROM, Band, Policy, Thresholds
from registry.matching.specificity import BREADTH, Bank
from registry.services.protection import EDITED_UP_TO

LEVELS: Final = (0.50, 0.55, 0.60, 0.65, 0.70)
STAND: Final = 0.95
"""Of the edited copies that are found, how many have to stand."""

CEILINGS: Final = (0.90, 0.92, 0.94, 0.96, 0.98, 0.99)
BORDERS: Final = (0.30, 0.35, 0.40, 0.45, 0.50)
PROMISED: Final = 0.90
"""Of edits that are not harsh, how many have to be found where it is said that they are."""

MOST: Final = (10, 20, 30, 40, 50, 60, 80, 100)
REFUSED: Final = 0.01
"""Of pictures that people make, how many may be refused."""


def settled(views: Views, inside: Mapping[Part, Case], banks: Mapping[Part, Case]) -> Iterator[str]:
    """The section of the page."""
    yield from (
        "## How the numbers were chosen",
        "",
        "By the calibration part alone; the columns for the other two say what came of it.",
        "",
    )
    yield from _contests(inside, banks)
    yield from _borders(inside)
    yield from _ceilings(inside)
    yield from _breadth(views)


def _contests(inside: Mapping[Part, Case], banks: Mapping[Part, Case]) -> Iterator[str]:
    yield from (
        "### From where on a contested match stands",
        "",
        f"The greatest of {_listed(LEVELS)} at which at least {100 * STAND:.0f} % of the edited",
        "copies that `small` finds stand. What chance resemblances do then is told beside it:",
        "pairs of a photograph, portrait, product or work of art and another picture's record at",
        f"{SPACE.threshold:.2f} or more, whatever the record's own threshold. In the code:",
        f"{STANDS_FROM:.2f}.",
        "",
    )
    plain = RULES[0].thresholds
    cells: dict[tuple[str, str], str] = {}
    for level in LEVELS:
        row = f"{level:.2f}"
        for part, case in inside.items():
            cells[row, f"copies, {part.value}"] = standing(case, level, harsh=None).cell()
            cells[row, f"not harsh, {part.value}"] = standing(case, level, harsh=False).cell()
            hits = of = 0
            for compared in (case, banks[part]):
                asked = np.isin(compared.kinds, list(EDITED)) & (compared.edits == SAME)
                hits += int(compared.false(compared.matches(plain, level))[asked].sum())
                of += int(compared.false(compared.matches(plain))[asked].sum())
            cells[row, f"chance, {part.value}"] = Counted(hits, of).cell()
    heads = [f"{what}, {part.value}" for what in ("copies", "not harsh", "chance") for part in Part]
    rows = [f"{level:.2f}" for level in LEVELS]
    yield from table(["stands from", *heads], rows, lambda row, head: cells[row, head])
    yield ""


def standing(case: Case, level: float, *, harsh: bool | None) -> Counted:
    """Of the edited copies that `small` finds, those that stand; None: harsh or not."""
    found = case.found(case.matches(_of(SMALL))) & (case.edits != SAME)
    if harsh is not None:
        found &= np.isin(case.edits, HARSH) == harsh
    stands = case.found(case.matches(_of(SMALL), level))
    return Counted(int((found & stands).sum()), int(found.sum()))


def _borders(inside: Mapping[Part, Case]) -> Iterator[str]:
    yield from (
        "### Up to which b edited copies are found",
        "",
        f"The greatest of {_listed(BORDERS)} at which, of edits that are not harsh of pictures",
        f"whose b lies in the last step below it, at least {100 * PROMISED:.0f} % match at b +",
        f"0.25 and at least 0.50. It is what a person is told. In the code: {EDITED_UP_TO:.2f}.",
        f"`medium` becomes strict above {_of(MEDIUM).bands[0].up_to:.2f}, no sooner; beside it",
        "are the pairs of one part's pictures, unedited, that `medium` would match falsely with",
        "another border: hardly any difference.",
        "",
    )
    mild, strict = (_numbers(band) for band in _of(MEDIUM).bands)
    tolerant = Thresholds((Band(1.0, *mild),))
    cells: dict[tuple[str, str], str] = {}
    for border in BORDERS:
        row = f"{border:.2f}"
        for part, case in inside.items():
            own = case.nearest.max(axis=1)[case.own]
            step = (own <= border) & (own > border - 0.05)
            asked = step & (case.edits != SAME) & ~np.isin(case.edits, HARSH)
            cells[row, f"found, {part.value}"] = case.true_rows(
                asked, case.matches(tolerant)
            ).cell()
            moved = Thresholds((Band(border, *mild), Band(1.0, *strict)))
            pairs = case.false_pairs(case.edits == SAME, case.matches(moved))
            cells[row, f"false, {part.value}"] = pairs.rate()
    heads = [f"{what}, {part.value}" for what in ("found", "false") for part in Part]
    yield from table(
        ["b up to", *heads], [f"{b:.2f}" for b in BORDERS], lambda row, head: cells[row, head]
    )
    yield ""


def _ceilings(inside: Mapping[Part, Case]) -> Iterator[str]:
    code = _of(SMALL).bands[-1].ceiling
    yield from (
        "### From where on everything matches",
        "",
        f"For `small` the least of {_listed(CEILINGS)} that no pair of two pictures",
        f"with b above {EDITED_UP_TO:.2f}, unedited, comes to in the calibration part. In the",
        f"code: {code:.2f}. Beside it: how many near copies of such pictures",
        f"({'; '.join(NEAR)}) match with that ceiling: by far not",
        "all, since the network is unsure of small print. For a hundred times as many records",
        "chance would have to be shown to be a hundred times rarer, and so many pages are not",
        f"here: `medium` keeps {_of(MEDIUM).bands[-1].ceiling:.2f}.",
        "",
    )
    cells: dict[tuple[str, str], str] = {}
    for ceiling in CEILINGS:
        row = f"{ceiling:.2f}"
        for part, case in inside.items():
            broad = case.nearest.max(axis=1) > EDITED_UP_TO
            near = (case.seen >= np.float32(ceiling)).any(axis=2)
            asked = np.isin(case.edits, NEAR) & broad[case.own]
            only = _of(SMALL).bands[-1]
            moved = Thresholds((Band(1.0, only.floor, only.margin, ceiling),))
            cells[row, f"copies, {part.value}"] = case.true_rows(asked, case.matches(moved)).cell()
            same = (case.edits == SAME) & broad[case.own]
            pairs = Counted(
                int(case.false(near & broad)[same].sum()), int(same.sum() * (broad.sum() - 1))
            )
            cells[row, f"pairs, {part.value}"] = pairs.rate()
    heads = [f"{what}, {part.value}" for what in ("copies", "pairs") for part in Part]
    yield from table(
        ["from", *heads], [f"{each:.2f}" for each in CEILINGS], lambda row, head: cells[row, head]
    )
    yield ""


def _breadth(views: Views) -> Iterator[str]:
    bank = packaged_bank()
    yield from (
        "### What is too generic",
        "",
        "Similarity and radius are those at which anything matches at all",
        f"({BREADTH.similarity:.2f} and {BREADTH.radius} bits): they are not chosen. How many",
        f"pictures of the bank may be so near: the least of {', '.join(map(str, MOST))} at which",
        f"at most {100 * REFUSED:.0f} % of pictures that are not drawn by a script are refused.",
        "Beside it: drawn pages, forms, charts and the like; and *means* of the 10 to 300 pictures",
        "of the bank that are nearest to one of 200 of them, which is what somebody would register",
        f"who wants to exclude as much as possible. In the code: {BREADTH.most}.",
        "",
    )
    alike = {part: _alike(views, bank, part) for part in Part}
    broad = _means(bank)
    cells: dict[tuple[str, str], str] = {}
    for most in MOST:
        row = str(most)
        for part, (counts, drawn) in alike.items():
            for what, which in (("not drawn", ~drawn), ("drawn", drawn)):
                counted = Counted(int((counts[which] > most).sum()), int(which.sum()))
                cells[row, f"{what}, {part.value}"] = counted.cell()
        cells[row, "means"] = Counted(int((broad > most).sum()), len(broad)).cell()
    heads = [f"not drawn, {part.value}" for part in Part]
    heads += [f"drawn, {part.value}" for part in (Part.CALIBRATION, Part.TEST)]
    yield from table(
        ["more than", *heads, "means"], list(map(str, MOST)), lambda row, head: cells[row, head]
    )
    matched = _matched_by_means(views, bank)
    yield from (
        "",
        "The limit is a second fence. The first is the record's own threshold: of",
        f"{len(matched):,} means of the 2 to 40 pictures of the test part that are nearest to one",
        "of them, registered under `small` whatever they resemble, none matches more than",
        f"{matched.max()} pictures of that part, {matched.mean():.2f} on average.",
        "",
    )


def _alike(views: Views, bank: Bank, part: Part) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of each picture: how many pictures of the bank it resembles, and whether it is drawn."""
    counts, drawn = [], []
    for each in views.pictures:
        if each.part is part:
            vectors = views.of((each.source, SAME, view) for view in REGISTERED)
            near = [
                int(n)
                for n in (vectors @ bank.vectors[SPACE.id].T >= BREADTH.similarity).sum(axis=1)
            ]
            for code in views.codes.get(each.source, ()):
                bits = np.bitwise_count(bank.codes["pdq-1"] ^ code).sum(axis=1, dtype=np.int64)
                near.append(int((bits <= BREADTH.radius).sum()))
            counts.append(max(near))
            drawn.append(each.kind.endswith(", drawn"))
    return np.array(counts, np.int64), np.array(drawn, np.bool_)


def _means(bank: Bank) -> NDArray[np.int64]:
    """How many pictures of the bank each of some means of it resembles."""
    vectors = bank.vectors[SPACE.id]
    found = []
    for seed in range(0, len(vectors), -(-len(vectors) // 200)):
        order = np.argsort(-(vectors @ vectors[seed]))
        for count in (10, 30, 100, 300):
            mean = vectors[order[:count]].mean(axis=0)
            mean /= np.linalg.norm(mean)
            found.append(int((vectors @ mean >= BREADTH.similarity).sum()))
    return np.array(found, np.int64)


def _matched_by_means(views: Views, bank: Bank) -> NDArray[np.int64]:
    """How many test pictures each of some means of them would match."""
    keys = [(p.source, SAME, REGISTERED[0]) for p in views.pictures if p.part is Part.TEST]
    vectors = views.of(keys)
    order = np.argsort(-(vectors @ vectors.T), axis=1)
    means = np.concatenate([vectors[order[:, :n]].mean(axis=1) for n in (2, 3, 5, 10, 20, 40)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    least = _of(SMALL).of(bank.nearest(SPACE.id, means))
    return (means @ vectors.T >= least[:, None]).sum(axis=1, dtype=np.int64)


def _of(policy: Policy) -> Thresholds:
    found = policy.thresholds(SPACE.id)
    assert found is not None
    return found


def _numbers(band: Band) -> tuple[float, float, float]:
    return band.floor, band.margin, band.ceiling


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)
