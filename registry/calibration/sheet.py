"""The hits as pages to look at: pictures of the sample only, all in one file each, no scripts."""

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Final

from registry.calibration.matching import Hit
from registry.calibration.review import found_by, groups_of

HITS_PER_PAGE: Final = 400
"""Some 6 MB of pictures a page."""

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Hits to review, page {page} of {pages}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em; max-width: 80em }}
section {{ border-top: 1px solid #bbb; margin-top: 1.5em }}
figure {{ display: inline-block; width: 250px; margin: .5em; vertical-align: top }}
figcaption {{ overflow-wrap: anywhere; font-size: 13px }}
.none {{ display: grid; place-items: center; width: 240px; height: 160px; background: #eee }}
</style></head><body>
<h1>Hits to review, page {page} of {pages}</h1>
<p>Each group is what one record matched. The registry holds no pictures, so that there is nothing
to compare with: judge by what you see. Copies of one picture, in whatever form, fit together. Pages
of text, charts or logos that have nothing in common do not; neither does a picture that differs
from all others of its group. Write into review.csv, for each hit: <b>copy</b> (the record may well
be of this picture), <b>different</b> (it can not be) or <b>unsure</b>. Delete this folder when you
are done.</p>
"""
_TAIL = "</body></html>\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as it is shown.

    Attributes:
        key: its name.
        picture: a small JPEG, or None.
    """

    key: str
    picture: bytes | None = field(repr=False)


def pages_of(hits: Sequence[Hit], shown: Mapping[int, Shown]) -> Iterator[str]:
    """The pages, HTML: groups with most hits first; none where there are no hits.

    Args:
        hits: all of them, numbered from 1 in this order.
        shown: row → the image.
    """
    groups = groups_of(hits)
    numbered = sorted(enumerate(hits, 1), key=lambda each: (groups[each[1].record], each[0]))
    pages = -(-len(numbered) // HITS_PER_PAGE)
    for page, part in enumerate(batched(numbered, HITS_PER_PAGE), 1):
        text = [_HEAD.format(page=page, pages=pages)]
        last = 0
        for number, hit in part:
            group = groups[hit.record]
            if group != last:
                text.append(f"{'</section>' if last else ''}<section><h2>Group {group}</h2>\n")
                last = group
            text.append(_figure(number, hit, shown[hit.row]))
        text += ["</section>\n", _TAIL]
        yield "".join(text)


def _figure(number: int, hit: Hit, image: Shown) -> str:
    if image.picture is None:
        picture = '<div class="none">not to be shown</div>'
    else:
        data = base64.b64encode(image.picture).decode()
        picture = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    policies = ", ".join(sorted(name for name, spaces in hit.spaces.items() if spaces))
    caption = f"<b>Hit {number}</b> · {html.escape(image.key)}<br>{' '.join(found_by(hit))}"
    return (
        f"<figure>{picture}<figcaption>{caption}; under {html.escape(policies)}"
        "</figcaption></figure>\n"
    )
