"""The story of the portraits, against a real registry."""

from dataclasses import replace
from pathlib import Path

import pytest

from consent_client.protocol.verdicts import Verdict
from demo.page import _people
from demo.people import CANDIDATES, FOLDER, REGISTERED, Answer, PeopleStory, play
from demo.registry_process import running_registry
from demo.scan import scan
from demo.seen import Seen

SPACES = ("pdq-1", "sha256")


def test_without_the_models_it_says_what_was_missed(tmp_path: Path) -> None:
    """With them: `test_demonstration.py`."""
    seen = Seen()
    with running_registry(tmp_path / "registry") as registry:
        story = play(registry, tmp_path / "person", SPACES, seen, with_faces=False)
        assert scan(registry.folder, seen.fingerprints).found == 0
    assert len(seen.fingerprints) > len(CANDIDATES)
    assert {answer.looked for answer in story.answers} == {None}
    assert {answer.did_not_look for answer in story.answers} == {Verdict.CLEAR}
    assert "the photograph of 2014 was kept" in story.words
    assert "--without-faces" in story.words
    assert story.failures == ()
    page = _people(story)
    assert "looking for people:" not in page
    assert "the photograph of 2014 was kept" in page


@pytest.mark.parametrize(("which", "verdict"), [(0, Verdict.CLEAR), (3, Verdict.EXCLUDE)])
def test_a_person_missed_or_taken_for_another_is_a_fault(which: int, verdict: Verdict) -> None:
    right = [
        Answer(
            each,
            Verdict.EXCLUDE if each.person == REGISTERED.person else Verdict.CLEAR,
            Verdict.CLEAR,
        )
        for each in CANDIDATES
    ]
    assert PeopleStory("", 1, tuple(right)).failures == ()
    right[which] = replace(right[which], looked=verdict)
    assert len(PeopleStory("", 1, tuple(right)).failures) == 1


def test_every_portrait_is_there_and_credited() -> None:
    credits_ = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.iterdir()} - {"CREDITS.md"}
    assert files == {each.file for each in (REGISTERED, *CANDIDATES)}
    for each in (REGISTERED, *CANDIDATES):
        assert f"`{each.file}` | {each.person}" in credits_
        assert each.credit.split(",")[0] in credits_
    assert sum(Path(FOLDER / name).stat().st_size for name in files) < 1_500_000
