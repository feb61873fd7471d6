"""The demonstration, for real: a server process, the client, HTTP, a page."""

import io
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from rich.console import Console

from consent_client.protocol.verdicts import Verdict
from demo.__main__ import demonstrate
from demo.outcomes import Outcome, Report
from demo.page import render
from demo.photographs import WITHDRAWN


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[Report, str, str]:
    """The report, the page and what was printed."""
    folder = tmp_path_factory.mktemp("demo")
    printed = io.StringIO()
    console = Console(file=printed)
    report = demonstrate(folder / "work", folder / "out", console, with_sscd=False, with_faces=True)
    return report, (folder / "out" / "index.html").read_text(), printed.getvalue()


@pytest.fixture(scope="module")
def report(played) -> Report:
    return played[0]


def test_unchanged_files_are_always_found_and_nothing_else_is_excluded(report: Report) -> None:
    assert report.failures == ()
    first = report.screenings[0]
    assert first.found()["original"] == (6, 6)
    assert first.count()[Outcome.PERMITTED] >= 1


def test_the_withdrawn_picture_is_kept_the_second_time(report: Report) -> None:
    first, second = (
        Counter(
            each.outcome for each in screening.judged if each.candidate.photograph.name == WITHDRAWN
        )
        for screening in report.screenings
    )
    assert first[Outcome.EXCLUDED] > 0
    assert set(second) <= {Outcome.KEPT, Outcome.UNKNOWN}
    assert report.status_after == "WITHDRAWN"
    assert report.screenings[1].log_size > report.screenings[0].log_size


def test_without_the_model_it_says_what_it_missed(report: Report) -> None:
    missed = report.screenings[0].count()[Outcome.MISSED]
    assert missed > 0
    page = render(report)
    assert "Without the sscd model" in page
    assert f"{missed} edited copies of opted-out pictures would have gone into" in page


def test_the_photograph_of_eleven_years_before_is_excluded_and_nobody_elses(played) -> None:
    report, page, printed = played
    story = report.people
    if story.without_faces:
        pytest.skip("needs consent-client[face]")
    heard = {answer.portrait.title: answer.looked for answer in story.answers}
    assert heard == {
        "Emmanuel Macron, 2014": Verdict.EXCLUDE,
        "Jacinda Ardern, 2018": Verdict.CLEAR,
        "Jacinda Ardern, 2022": Verdict.CLEAR,
        "Barack Obama": Verdict.CLEAR,
        "Rishi Sunak": Verdict.CLEAR,
    }
    assert {answer.did_not_look for answer in story.answers} == {Verdict.CLEAR}
    words = "2014 was excluded, and no photograph of anybody else"
    assert words in page
    assert words in " ".join(printed.split())


def test_a_certificate_passes_its_audit_and_a_tampered_manifest_does_not(played) -> None:
    report, page, printed = played
    story = report.certified
    assert story.failures == ()
    assert (story.excluded, story.shipped) == (1, story.screened - 1)
    assert story.genuine == ()
    assert "not what the certificate says is shipped" in story.tampered[0]
    for shown in (page, " ".join(printed.split())):
        assert f"{story.screened} cuttings were committed to" in shown
        assert "found nothing wrong" in shown


def test_no_fingerprint_is_on_the_registrys_disk(report: Report) -> None:
    assert report.scan.found == 0
    assert report.scan.fingerprints > 100
    assert report.scan.bytes_read > 50_000


def test_a_damaged_file_is_never_clear(report: Report) -> None:
    broken = [each for each in report.screenings[0].judged if each.candidate.edit == "cut short"]
    assert [each.outcome for each in broken] == [Outcome.UNKNOWN]


class _Checker(HTMLParser):
    """Collects what a page needs to be read by everybody, and what it must not contain."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        attributes = dict(attrs)
        self.addresses += [v for k, v in attributes.items() if k in {"src", "href"} and v]
        if tag == "img":
            self.images.append(attributes)
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_self_contained_and_describes_its_pictures(report: Report) -> None:
    checker = _Checker()
    checker.feed(render(report))
    assert checker.open == []
    assert len(checker.images) >= len(report.screenings[0].judged)
    assert all(image["alt"] for image in checker.images)
    assert all(address.startswith("data:") for address in checker.addresses)


def test_every_count_on_the_page_is_one_of_the_run(report: Report) -> None:
    page = render(report)
    for outcome in Outcome:
        counts = [screening.count()[outcome] for screening in report.screenings]
        if not any(counts):
            continue
        pattern = (
            re.escape(outcome.word)
            + r"</span></th>"
            + "".join(rf'<td class="number">{count}</td>' for count in counts)
        )
        assert re.search(pattern, page), outcome


def test_the_command_writes_the_page_and_prints_the_table(played) -> None:
    report, page, printed = played
    assert page == render(report)
    assert "missed" in printed
    assert f"{report.scan.found} found" in " ".join(printed.split())
