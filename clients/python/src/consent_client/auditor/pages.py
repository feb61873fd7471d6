"""A report as a page: one file without scripts, to be read, printed and passed on."""

from collections.abc import Iterable
from html import escape
from string import Template
from typing import Final

from consent_client.auditor.reports import Finding, Report, number_text

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { border: 2px solid; border-radius: .5rem; padding: .75rem 1rem; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dd { margin: 0; } dd, code, li { overflow-wrap: anywhere; }
li { margin: .4rem 0; } .why { opacity: .8; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="verdict" role="status">$verdict</p>
$sections
</body>
</html>
""")

_VERDICTS: Final = {
    True: "Nothing that was checked is wrong. Read below what could not be checked.",
    False: "Something is wrong. It is listed under “Failed”.",
}


def page(report: Report) -> str:
    """The report as HTML."""
    sections = [
        _list("Failed", map(_finding, report.failed)),
        _list("Not listed", (f"{kind.value}: {number} more" for kind, number in report.unlisted())),
        _list("To be known", map(_finding, report.notes)),
        _list("Verified", (escape(each.what) for each in report.verified)),
        _list(
            "Bounded",
            (
                f"{escape(each.what)} <span class=why>({_numbers(each.numbers.items())})</span>"
                for each in report.bounded
            ),
        ),
        _list(
            "Not to be verified, and why",
            (
                f"{escape(each.what)} <br><span class=why>{escape(each.why)}</span>"
                for each in report.unverifiable
            ),
        ),
        _facts(report),
    ]
    return _PAGE.substitute(
        title=escape(report.title), verdict=_VERDICTS[report.ok], sections="\n".join(sections)
    )


def _list(heading: str, items: Iterable[str]) -> str:
    shown = "".join(f"<li>{item}</li>\n" for item in items)
    return f"<h2>{heading}</h2>\n<ul>\n{shown}</ul>" if shown else ""


def _finding(finding: Finding) -> str:
    where, message = escape(finding.where), escape(finding.message)
    return f"<strong>{finding.fault.value}</strong> <code>{where}</code>: {message}"


def _numbers(numbers: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{escape(name)} {number_text(number)}" for name, number in numbers)


def _facts(report: Report) -> str:
    if not report.facts:
        return ""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(str(value))}</code></dd>\n"
        for name, value in report.facts.items()
    )
    return f"<h2>What it is about</h2>\n<dl>\n{rows}</dl>"
