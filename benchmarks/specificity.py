"""What a threshold for every record costs, and what it spares: recall and false matches by kind.

    python -m benchmarks.specificity --packages FOLDER --cache FILE --out docs/specificity.md

Pictures of `benchmarks.specificity_pictures` (packages are fetched into FOLDER with `apt-get
download` where they are not there) are registered as the client registers them; edits are screened
as the client screens them. The fingerprints are kept in FILE: with it, the page is made again in a
minute, and FOLDER is not needed.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall import SAME
from benchmarks.specificity_counts import RULES, Case, Counted, of_part, table, with_bank
from benchmarks.specificity_pictures import Part, pictures
from benchmarks.specificity_settled import settled
from benchmarks.specificity_tried import tried
from benchmarks.specificity_views import HARSH, REGISTERED, SPACE, TRIED, Views, gather
from consent_client.fingerprints.batches import available_cores
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import STANDS_FROM
from registry.matching.specificity import Bank
from registry.services.protection import EDITED_UP_TO

COMMAND = (
    "python -m benchmarks.specificity --packages FOLDER --cache FILE --out docs/specificity.md"
)

SIZES = (10_000, 100_000, 1_000_000)

NAMES = [rule.name for rule in RULES]


def page(views: Views) -> str:
    """The document."""
    bank = packaged_bank()
    inside = {part: of_part(views, part) for part in Part}
    banks = {part: with_bank(views, part) for part in Part}
    lines = [
        *_opening(views, bank),
        *_told(views, bank),
        *_found(inside),
        *_false(inside, banks),
        *_at_size(inside, banks),
        *settled(views, inside, banks),
        *tried(views, inside, banks),
        *_unknown(),
    ]
    return "\n".join(lines)


def _opening(views: Views, bank: Bank) -> Iterator[str]:
    counted = {each.source for each in views.pictures}
    edited = len({key[:2] for key in views.vectors if key[0] in counted and key[1] != SAME})
    yield from (
        "# Specificity",
        "",
        "How often a record is found, how often something else is taken for it, and how that",
        "depends on what the picture shows. Made by",
        "",
        f"    {COMMAND}",
        "",
        "and not edited by hand. Why records have thresholds of their own is told in",
        "[decision 0011](decisions/0011-every-record-has-a-threshold-of-its-own.md). A record's b",
        f"is its likeness to the nearest of the {len(bank.vectors[SPACE.id]):,} pictures of the",
        f"bank (version {bank.version}, `registry/matching/bank/`); the policies that say what",
        "follows from b are in `registry/matching/policies.py`. `beyond` has the numbers of",
        "`medium` and is not set apart here.",
        "",
        "Each picture is registered in `sscd-1` as the client does, as it is and mirrored;",
        f"candidates are the pictures themselves and {edited:,} edits of some of them. Only",
        "`sscd-1` is looked at: what `sha256` and `pdq-1` find besides is in",
        "[recall.md](recall.md). *Contested*: five crops of every excluded candidate are looked at",
        f"too, and an exclusion stands only if some view comes to {STANDS_FROM:.2f}. Cells are",
        "counts, shares, and Clopper and Pearson's 95 % interval.",
        "",
        "## Which pictures",
        "",
        "- **calibration**: numbers were chosen with these, and with nothing else on this page.",
        "- **test**: nothing was chosen with these. They come from the same packages, and from the",
        "  same painters, as the calibration part and the bank: other pictures, but kin.",
        "- **other sources**: nothing was chosen with these either, and the bank, the calibration",
        "  part and the test part have nothing of where they come from: Kodak's photographs,",
        "  photographs with edits that other people made, portraits and families, and packages of",
        "  wallpapers and manuals.",
        "",
        "No picture is in two parts or in the bank. *Drawn* pictures are made by a script from a",
        "number: pages, forms, charts and the like of one hand, which resemble each other more",
        "than those of different authors do.",
        "",
    )
    counts = {
        (part.value, kind): sum(each.kind == kind for each in views.pictures if each.part is part)
        for part in Part
        for kind in _kinds(views)
    }
    yield from table(
        ["kind", *(part.value for part in Part)],
        _kinds(views),
        lambda kind, part: str(counts[part, kind] or ""),
    )
    yield ""


def _told(views: Views, bank: Bank) -> Iterator[str]:
    yield from (
        "## What a person is told",
        "",
        "From b alone, so that it stays true when the registry grows:",
        "",
        f"- b of all its vectors at most {EDITED_UP_TO:.2f}: *edited copies are found* (crops,",
        "  captions, screenshots).",
        "- more: *near-exact copies only* (saved again, made smaller). A page of text, a chart, an",
        "  icon resembles others so much that a tolerant match would take others' pictures for it.",
        f"- **TooGeneric**: it resembles more than {bank.breadth.most} pictures of the bank (at",
        f"  {bank.breadth.similarity:.2f} or more in `sscd-1`, or {bank.breadth.radius} bits or",
        "  fewer in `pdq-1`): a blank form, a page of plain text.",
        "  It is refused in that space, and registered without it if the person",
        "  agrees: then only files with the same bytes, and what the other space finds.",
        "",
    )
    told = {
        (part, kind): _kind_told(views, bank, part, kind) for part in Part for kind in _kinds(views)
    }
    heads = [
        f"{what}, {part.value}" for what in ("near copies only", "too generic") for part in Part
    ]
    cells = {
        (kind, f"{what}, {part.value}"): told[part, kind][number].cell()
        for part in Part
        for kind in _kinds(views)
        for number, what in enumerate(("near copies only", "too generic"))
    }
    yield from table(["kind", *heads], _kinds(views), lambda kind, head: cells[kind, head])
    yield ""


def _kind_told(views: Views, bank: Bank, part: Part, kind: str) -> tuple[Counted, Counted]:
    """Pictures of which only near copies are found, and that are too generic."""
    near = generic = 0
    sources = [each.source for each in views.pictures if (each.part, each.kind) == (part, kind)]
    for source in sources:
        vectors = views.of((source, SAME, view) for view in REGISTERED)
        near += bool(bank.nearest(SPACE.id, vectors).max() > EDITED_UP_TO)
        made = {SPACE.id: [vector.astype("<f2").tobytes() for vector in vectors]}
        if source in views.codes:
            made["pdq-1"] = [code.tobytes() for code in views.codes[source]]
        generic += bool(bank.too_generic(made))
    return Counted(near, len(sources)), Counted(generic, len(sources))


def _found(inside: Mapping[Part, Case]) -> Iterator[str]:
    yield from (
        "## Found",
        "",
        "Candidates that match their own picture's record. *Harsh* edits are the last four of the",
        "list by edit: " + "; ".join(HARSH) + ".",
        "",
    )
    for part, case in inside.items():
        matches = {rule.name: rule.matches(case) for rule in RULES}
        edits = case.edits
        changed = edits != SAME
        harsh = np.isin(edits, HARSH)
        kinds = sorted(set(case.kinds.tolist()))
        yield from (f"### By kind, {part.value}", "", "Edits that are not harsh:", "")
        rows = {kind: (case.kinds == kind) & changed & ~harsh for kind in kinds}
        yield from _rows(case, "kind", rows, matches)
        yield from ("", "Harsh edits:", "")
        rows = {kind: (case.kinds == kind) & harsh for kind in kinds}
        yield from _rows(case, "kind", rows, matches)
        yield from ("", f"### By edit, {part.value}", "")
        real = sorted({edit for edit in edits.tolist() if edit.startswith("real: ")})
        yield from _rows(
            case, "edit", {edit: edits == edit for edit in (SAME, *TRIED, *real)}, matches
        )
        yield ""


def _rows(
    case: Case,
    head: str,
    rows: Mapping[str, NDArray[np.bool_]],
    matches: Mapping[str, NDArray[np.bool_]],
) -> list[str]:
    return table(
        [head, *NAMES],
        [row for row, which in rows.items() if which.any()],
        lambda row, name: case.true_rows(rows[row], matches[name]).cell(),
    )


def _false(inside: Mapping[Part, Case], banks: Mapping[Part, Case]) -> Iterator[str]:
    yield from (
        "## Falsely found",
        "",
        "Pairs of a candidate (a picture or one of its edits) and another picture's record that",
        "matches it. The kind is the candidate's. First among the pictures of one part; then",
        f"against the bank's {len(next(iter(banks.values())).nearest):,} pictures as if they were",
        "registered, each measured against the rest of the bank. Some of these pairs show the same",
        "thing twice (an icon in two colours, a page of one manual in two versions), which nobody",
        "looked through: they count as false here, and all the more for parts that are kin.",
        "",
    )
    for words, cases in (("among the part's", inside), ("against the bank's", banks)):
        for part, case in cases.items():
            matches = {rule.name: rule.matches(case) for rule in RULES}
            yield from (f"### {part.value.capitalize()}, {words}", "")
            yield from _false_rows(case, matches)
            yield ""


def _false_rows(case: Case, matches: Mapping[str, NDArray[np.bool_]]) -> list[str]:
    return table(
        ["kind", *NAMES],
        sorted(set(case.kinds.tolist())),
        lambda kind, name: case.false_pairs(case.kinds == kind, matches[name]).rate(),
    )


def _at_size(inside: Mapping[Part, Case], banks: Mapping[Part, Case]) -> Iterator[str]:
    photographs = {}
    for rule in RULES:
        hits = of = 0
        for case in (inside[Part.TEST], inside[Part.OTHER], banks[Part.TEST], banks[Part.OTHER]):
            which = (case.kinds == "photograph") & (case.edits == SAME)
            pairs = case.false_pairs(which, rule.matches(case))
            hits, of = hits + pairs.hits, of + pairs.of
        photographs[rule.name] = Counted(hits, of)
    yield from (
        "## What that would mean for a larger registry",
        "",
        "**Extrapolated, not measured.** The rate per pair of unedited photographs of the test",
        "part and of other sources, as above, times a number of records: what share of photographs",
        "that have nothing to do with any record would be excluded, if records were like these and",
        "pairs were independent. The first row is the count; the others are upper ends of",
        "intervals. Where hardly anything was found they say how little was tried, not how often",
        "it happens.",
        "",
    )
    yield from table(["records", *NAMES], ["pairs"], lambda _, name: photographs[name].rate())
    for size in SIZES:
        shares = [min(1.0, size * photographs[name].interval()[1]) for name in NAMES]
        yield f"| {size:,} | " + " | ".join(f"≤ {_percent(share)} %" for share in shares) + " |"
    yield ""


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"


def _unknown() -> Iterator[str]:
    yield from (
        "## What is not known",
        "",
        "- What happens among millions of records. Nothing here is so large; beyond a million, the",
        "  policy `beyond` has the numbers of `medium` and no measurement at all behind it.",
        "  `consent-registry calibrate` measures it in the field, where it counts.",
        "- Edits of one picture are not independent, and pictures of one package are kin: all",
        "  intervals are too narrow. Of many kinds there are few pictures.",
        "- Products before a white wall, one shop's pictures and tight portraits of living people",
        "  are hardly represented. Product pictures here are of games and of stamps for children.",
        "- *Near copies* of pages and charts are found less often than the words promise: see the",
        "  tables by kind. `sha256` and `pdq-1`, which are not counted here, find many of them.",
        "- Nobody tried to escape, or to be taken for another: see the",
        "  [threat model](threat-model.md).",
        "",
    )


def _kinds(views: Views) -> list[str]:
    return sorted({each.kind for each in views.pictures})


def main(arguments: Sequence[str]) -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.specificity", description=__doc__)
    parser.add_argument("--packages", type=Path, metavar="FOLDER", help="compute what is missing")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="of fingerprints (.npz)")
    parser.add_argument("--workers", type=int, default=available_cores(), metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    if asked.packages is not None:
        views = gather(list(pictures(asked.packages)), asked.cache, asked.workers)
    elif asked.cache is not None:
        views = Views.load(asked.cache)
    else:
        parser.error("one of --packages and --cache is needed")
    written = page(views)
    if asked.out is None:
        print(written)
    else:
        asked.out.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
