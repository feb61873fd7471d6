"""Reports as pages: without scripts, and nothing of what was audited becomes markup."""

from html.parser import HTMLParser

from consent_client.auditor.pages import page
from consent_client.auditor.reports import MAX_LISTED, Fault, Report

EVIL = "</style><script>alert(1)</script>\"'&<img src=x onerror=y>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def read(report: Report) -> Tags:
    tags = Tags()
    tags.feed(page(report))
    return tags


def test_nothing_becomes_markup() -> None:
    report = Report(EVIL, facts={EVIL: EVIL})
    report.fail(Fault.BAD_TILE, EVIL, EVIL)
    report.note(Fault.MISSED, EVIL, EVIL)
    report.holds(EVIL)
    report.bound(EVIL, **{EVIL: 1, "share": 0.123456})
    report.cannot(EVIL, EVIL)
    tags = read(report)
    assert not tags.seen & {"script", "img", "link", "iframe", "a"}
    assert not any(name.startswith("on") or name in {"src", "href"} for name in tags.attributes)
    assert tags.text.count("<script>alert(1)</script>") == 13
    assert "0.1235" in tags.text


def test_it_says_first_whether_something_is_wrong_and_how_much_is_not_listed() -> None:
    report = Report("A log")
    assert "Nothing that was checked is wrong" in read(report).text
    for number in range(MAX_LISTED + 5):
        report.fail(Fault.BAD_DAY, f"entry {number}", "x")
    text = read(report).text
    assert text.index("Something is wrong") < text.index("BAD_DAY")
    assert "5 more" in text


def test_what_can_not_be_verified_is_said_once() -> None:
    report = Report("A log")
    for _ in range(2):
        report.cannot("a", "b")
    assert len(report.unverifiable) == 1
