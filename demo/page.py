"""The page with thumbnails: one file, nothing fetched from anywhere, every figure from the run."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from consent_client.protocol.verdicts import Verdict
from demo.dataset import CUT_SHORT, ORIGINAL
from demo.edits import EDITS
from demo.outcomes import Judged, Outcome, Report, Screening
from demo.people import REGISTERED, PeopleStory, Portrait
from demo.photographs import Photograph, Role

# Large enough to recognise a picture, small enough for a page of some hundred kilobytes.
THUMBNAIL_PIXELS = 132
THUMBNAIL_QUALITY = 72
# In place of a file that is no whole picture: nothing but its frame.
NO_PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='132' height='88'/%3E"
)

STYLE = Path(__file__).with_name("page.css")

# A sign beside the word, so that nothing depends on telling colours apart.
SIGNS = {
    Outcome.EXCLUDED: ("✓", "good"),
    Outcome.PERMITTED: ("✓", "yes"),
    Outcome.KEPT: ("·", "plain"),
    Outcome.MISSED: ("✗", "bad"),
    Outcome.CONSENT_MISSED: ("·", "plain"),
    Outcome.WRONGLY_EXCLUDED: ("✗", "bad"),
    Outcome.WRONGLY_PERMITTED: ("✗", "bad"),
    Outcome.UNKNOWN: ("?", "unsure"),
}


def thumbnail(path: Path) -> str:
    """A small JPEG of the picture as a data URI."""
    with Image.open(path) as picture:
        small = ImageOps.exif_transpose(picture).convert("RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _badge(outcome: Outcome) -> str:
    sign, kind = SIGNS[outcome]
    return (
        f'<span class="badge {kind}" title="{escape(outcome.meaning)}">'
        f'<span aria-hidden="true">{sign}</span> {escape(outcome.word)}</span>'
    )


def _figure(folder: Path, judged: Judged, label: str) -> str:
    alt = f"{judged.candidate.photograph.title}, {judged.candidate.edit}"
    broken = judged.candidate.edit == CUT_SHORT
    source = NO_PICTURE if broken else thumbnail(folder / judged.candidate.file)
    return (
        f'<figure class="{SIGNS[judged.outcome][1]}">'
        f'<img src="{source}" alt="{escape(alt)}" loading="lazy">'
        f"<figcaption>{escape(label)}{_badge(judged.outcome)}</figcaption></figure>"
    )


def _table(label: str, head: str, body: str, kind: str = "") -> str:
    """A table that scrolls by itself where the screen is narrow, with the keyboard too."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
        f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _heads(*words: str) -> str:
    return "".join(f'<th scope="col">{escape(word)}</th>' for word in words)


def _rows(report: Report, screening: Screening, photographs: Iterable[Photograph]) -> str:
    """One row of a table for each photograph, one cell for each edit."""
    edits = (ORIGINAL, *EDITS)
    body = []
    for photograph in photographs:
        by_edit = {
            each.candidate.edit: each
            for each in screening.judged
            if each.candidate.photograph == photograph
        }
        cells = "".join(f"<td>{_figure(report.folder, by_edit[edit], '')}</td>" for edit in edits)
        name = f"{escape(photograph.title)}<small>{escape(photograph.credit)}</small>"
        body.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return _table(screening.title, _heads("photograph", *edits), "".join(body), "pictures")


def _gallery(report: Report, judged: Sequence[Judged], labels: Sequence[str]) -> str:
    figures = (
        _figure(report.folder, each, label) for each, label in zip(judged, labels, strict=True)
    )
    return f'<div class="gallery">{"".join(figures)}</div>'


def _counts(report: Report) -> str:
    """How many pictures came to each outcome, in both screenings."""
    counts = [screening.count() for screening in report.screenings]
    rows = "".join(
        f'<tr><th scope="row">{_badge(outcome)}</th>'
        f"{''.join(f'<td class="number">{count[outcome]}</td>' for count in counts)}"
        f"<td>{escape(outcome.meaning)}</td></tr>"
        for outcome in Outcome
        if any(count[outcome] for count in counts)
    )
    titles = [screening.title for screening in report.screenings]
    return _table("outcomes", _heads("outcome", *titles, "which means"), rows)


def _found(screening: Screening) -> str:
    """Of each edit, how many copies of opted-out pictures were found."""
    rows = "".join(
        f'<tr><th scope="row">{escape(edit)}</th><td class="number">{found} of {of}</td></tr>'
        for edit, (found, of) in screening.found().items()
    )
    return _table("found", _heads("edit", "copies of opted-out pictures found"), rows)


def _statements(report: Report) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(record.photograph.title)}</th>'
        f"<td>{escape(record.words)}</td>"
        f'<td class="short">{escape(counted(record.fingerprints))}</td>'
        f'<td class="number">{record.entry}</td></tr>'
        for record in report.registered
    )
    head = _heads(
        "photograph", "what its owner states", "fingerprints sealed and sent", "log entry"
    )
    return _table("statements", head, rows)


def counted(fingerprints: Mapping[str, int]) -> str:
    """How many fingerprints there are, for people: each space once, with its number."""
    return ", ".join(
        space if count == 1 else f"{space} \N{MULTIPLICATION SIGN}{count}"
        for space, count in fingerprints.items()
    )


def _missed(report: Report) -> str:
    missed = [each for each in report.screenings[0].judged if each.outcome is Outcome.MISSED]
    if not missed:
        return (
            "<p>In this run, none. That is luck as well as skill: other pictures and harder edits "
            "are missed, and the documentation's table of recall says how often.</p>"
        )
    labels = [f"{each.candidate.photograph.title}, {each.candidate.edit}" for each in missed]
    return (
        f"<p>{len(missed)} edited {'copy' if len(missed) == 1 else 'copies'} of opted-out pictures "
        "would have gone into the training set. The registry did not recognise them.</p>"
        + _gallery(report, missed, labels)
    )


def _not_checked(report: Report) -> str:
    unknown = [each for each in report.screenings[0].judged if each.outcome is Outcome.UNKNOWN]
    labels = [f"{each.candidate.photograph.title}, {each.candidate.edit}" for each in unknown]
    return (
        "<section><h2>6 · Not checked</h2>"
        "<p>What can not be fingerprinted can not be screened. Unknown is never taken for clear: "
        f"it is dropped.</p>{_gallery(report, unknown, labels)}</section>"
    )


def _withdrawal(report: Report) -> str:
    pairs = [
        [each for each in screening.judged if each.candidate.photograph == report.withdrawn]
        for screening in report.screenings
    ]
    titles = [screening.title for screening in report.screenings]
    parts = (
        f"<h3>{escape(title)}</h3>"
        + _gallery(report, judged, [each.candidate.edit for each in judged])
        for title, judged in zip(titles, pairs, strict=True)
    )
    return "".join(parts)


ANSWERS = {
    Verdict.CLEAR: ("·", "plain", "kept"),
    Verdict.EXCLUDE: ("✓", "good", "excluded"),
    Verdict.PERMIT: ("✓", "yes", "permitted"),
    Verdict.UNKNOWN: ("?", "unsure", "not checked"),
}


def _heard(who: str, verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    sign, kind, word = ANSWERS[verdict]
    return (
        f"{escape(who)}"
        f'<span class="badge {kind}"><span aria-hidden="true">{sign}</span> {escape(word)}</span>'
    )


def _portrait(portrait: Portrait, kind: str, below: str) -> str:
    return (
        f'<figure class="{kind}">'
        f'<img src="{thumbnail(portrait.path)}" alt="{escape(portrait.title)}" loading="lazy">'
        f"<figcaption>{escape(portrait.title)}<small>{escape(portrait.credit)}</small>{below}"
        "</figcaption></figure>"
    )


def _people(story: PeopleStory) -> str:
    """The story of the portraits: who registered, and what two builders heard about the rest."""
    figures = [_portrait(REGISTERED, "good", "registered, with its face")]
    for answer in story.answers:
        kind = "plain" if answer.looked is None else ANSWERS[answer.looked][1]
        below = _heard("looking for people:", answer.looked)
        below += _heard("looking for copies only:", answer.did_not_look)
        figures.append(_portrait(answer.portrait, kind, below))
    return (
        f"<p>{escape(story.words)}</p>"
        f'<div class="gallery">{"".join(figures)}</div>'
        "<p>Faces are biometric data. A face is registered only by who asks for it, and matched "
        "only in sessions of builders who opted in and stated that they lawfully may; it is in "
        "nothing that builders download, and nobody can search with it. Recognition errs, with "
        "close relatives above all: <code>docs/faces.md</code> says how often. That these people "
        "play in this story says nothing about what they think of it.</p>"
    )


def render(report: Report) -> str:
    """The whole page as HTML text."""
    first, second = report.screenings
    by_role = {
        role: [each.photograph for each in report.registered if each.photograph.role is role]
        for role in Role
    }
    unrelated = [each for each in first.judged if each.candidate.photograph.role is Role.UNRELATED]
    scan = report.scan
    banner = (
        '<p class="banner"><strong>Without the sscd model</strong> '
        f"({escape(report.without_sscd)}): only unchanged files and light edits could be found. "
        "What that missed is shown below.</p>"
        if report.without_sscd
        else ""
    )
    failures = (
        '<div class="banner failed"><strong>This run shows a fault:</strong><ul>'
        + "".join(f"<li>{escape(failure)}</li>" for failure in report.failures)
        + "</ul></div>"
        if report.failures
        else ""
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Consent Registry: what became of {len(first.judged)} pictures</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>What became of {len(first.judged)} pictures</h1>
<p>On this computer, {len(report.registered)} people stated what may be done with a photograph of
theirs, and a builder screened a data set before training on it. The registry saw fingerprints,
never a picture and never a name. Fingerprints used: {escape(", ".join(report.spaces))}.</p>
{banner}{failures}
</header>
<main>
<section><h2>1 · What people stated</h2>
{_statements(report)}
<p>Fingerprints, seals, proofs of work and registrations took {report.protect_seconds:.1f} s
together.</p>
</section>
<section><h2>2 · What the builder heard</h2>
<p>The builder screened for the use <code>ai_generative_training</code>, over HTTP, and learned one
word for each picture. The {escape(first.title)} took {first.seconds:.1f} s and was answered for
log size {first.log_size}; the {escape(second.title)} took {second.seconds:.1f} s, for log size
{second.log_size}.</p>
{_counts(report)}
<h3>Opted out, in the {escape(first.title)}</h3>
{_rows(report, first, by_role[Role.OPTED_OUT])}
<h3>Permitted, in the {escape(first.title)}</h3>
<p>“Permitted” means that somebody states it. It is not a licence, and nobody checked who they are.
</p>
{_rows(report, first, by_role[Role.CONSENTED])}
</section>
<section><h2>3 · Missed</h2>
{_missed(report)}
{_found(first)}
</section>
<section><h2>4 · One record withdrawn</h2>
<p>The owner of {escape(report.withdrawn.title)} withdrew the record; it reads now
<strong>{escape(report.status_after)}</strong>.</p>
{_withdrawal(report)}
</section>
<section><h2>5 · Pictures that nobody spoke for</h2>
{_gallery(report, unrelated, [each.candidate.photograph.title for each in unrelated])}
</section>
{_not_checked(report)}
<section><h2>7 · Other photographs of a person</h2>
{_people(report.people)}
</section>
<section><h2>8 · A certificate, and an audit of it</h2>
<p>{escape(report.certified.words)}</p>
<p>The auditor had the builder's files and the registry's public log, and asked neither of them. The
certificate does not show that the fingerprints are those of the pictures, nor what was trained on.
</p>
</section>
<section><h2>9 · What the registry keeps on disk</h2>
<p>At the end, all {scan.files} files of the registry ({scan.bytes_read:,} bytes: database,
write-ahead log, keys, its own log) were searched for {scan.fingerprints} fingerprints, those of the
registered and those of the screened pictures, as bytes, hexadecimal and base64.
Found: <strong>{scan.found}</strong>.</p>
</section>
<section><h2>What this does not show</h2>
<ul>
<li>{len(first.judged)} pictures prove nothing about millions. Recall and false matches are measured
on more pictures in <code>docs/recall.md</code>.</li>
<li>A builder who does not ask is not stopped. The registry answers; it can not force anyone.</li>
<li>Nobody checked that those who stated something had a right to: statements are unverified.</li>
<li>Everything ran on one computer, so nothing here says how hard the registry is to attack.</li>
</ul>
</section>
</main>
<footer><p>Made by <code>make demo</code> in {report.seconds:.0f} s. Photographs from the packages
scikit-image and scikit-learn, with the credits shown;
{
        escape(
            "; ".join(
                sorted(
                    {
                        f"{e.candidate.photograph.title}: {e.candidate.photograph.credit}"
                        for e in unrelated
                    }
                )
            )
        )
    }.</p></footer>
</body>
</html>
"""
