"""The builder's SDK against a real registry."""

import pytest

from consent_client.builder import AsyncBuilder, Builder, columns_of, final_verdict
from consent_client.errors import (
    BadFingerprint,
    Malformed,
    ProtocolError,
    RegistryProblem,
    UnknownSpace,
)
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant, refusal
from tests.support.people import Picture
from tests.support.serving import Server

SPACES = ("sha256", "pdq-1", "sscd-1")


@pytest.fixture(scope="module")
def refused(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Picture:
    picture = Picture(20_000)
    folder = tmp_path_factory.mktemp("person") / "state"
    with Registrant(server.url, state=folder) as registrant:
        registrant.ensure_phrase()
        registrant.protect(picture.fingerprints, refusal())
    return picture


def items(refused: Picture) -> list[tuple[str, dict[str, tuple[bytes, ...]]]]:
    lacking = {"sha256": Picture(20_001).fingerprints["sha256"]}
    return [
        ("refused", refused.fingerprints),
        ("other", Picture(20_002).fingerprints),
        ("lacking", lacking),
        ("nothing", {}),
        ("refused file", {"sha256": refused.fingerprints["sha256"]}),
    ]


EXPECTED = {
    "refused": Verdict.EXCLUDE,
    "other": Verdict.CLEAR,
    "lacking": Verdict.UNKNOWN,
    "nothing": Verdict.UNKNOWN,
    "refused file": Verdict.EXCLUDE,
}


@pytest.mark.parametrize("rows", [1, 2, 5, 1_000])
def test_screen(server: Server, token: str, refused: Picture, rows: int) -> None:
    with Builder(server.url, token=token) as builder:
        answers = list(
            builder.screen(
                items(refused),
                dataset="x",
                use=Use.AI_TRAINING,
                required_spaces=SPACES,
                block_rows=rows,
            )
        )
    assert {answer.key: answer.verdict for answer in answers} == EXPECTED
    assert answers[0].spaces == tuple(sorted(SPACES))
    assert answers[3].spaces == ()


async def test_screen_asynchronously(server: Server, token: str, refused: Picture) -> None:
    async with AsyncBuilder(server.url, token=token) as builder:
        answers = [
            answer
            async for answer in builder.screen(
                items(refused),
                dataset="x",
                use=Use.AI_TRAINING,
                required_spaces=SPACES,
                block_rows=2,
            )
        ]
        assert (await builder.registry()).ready
    assert {answer.key: answer.verdict for answer in answers} == EXPECTED


def test_the_parts_one_by_one(server: Server, token: str, refused: Picture) -> None:
    candidates = [fingerprints for _, fingerprints in items(refused)]
    columns = columns_of(candidates, SPACES)
    with Builder(server.url, token=token) as builder:
        screening = builder.open_screening("x", Use.AI_INFERENCE, SPACES, 5)
        first = builder.screen_block(screening, 0, columns)
        assert builder.screen_block(screening, 0, columns) == first
        with pytest.raises(RegistryProblem) as caught:
            builder.screen_block(screening, 0, columns_of(candidates[::-1], SPACES))
        assert caught.value.problem_code == "CONFLICT"
        closed = builder.close_screening(screening)
        assert closed.complete
        assert closed.answered == 5
        assert closed.verdicts[Verdict.EXCLUDE] == 2
        assert {space.space: space.present for space in closed.spaces} == {
            "sha256": 4,
            "pdq-1": 2,
            "sscd-1": 2,
        }
        assert builder.close_screening(screening) == closed
        with pytest.raises(RegistryProblem) as caught:
            builder.screen_block(screening, 1, columns)
        assert caught.value.problem_code == "SCREENING_CLOSED"


def test_nothing_to_screen(server: Server, token: str) -> None:
    with Builder(server.url, token=token) as builder:
        assert not list(
            builder.screen([], dataset="x", use=Use.AI_TRAINING, required_spaces=("sha256",))
        )


def test_columns_refuse_what_is_no_fingerprint() -> None:
    whole = Picture(1).fingerprints
    columns = columns_of([whole, {}], SPACES)
    assert [column.space_id for column in columns] == list(SPACES)
    assert columns[0].present.tolist() == [True, False]
    for bad, error in (
        ({"sha256": (b"short",)}, BadFingerprint),
        ({"sha256": (bytes(32), bytes(32))}, Malformed),
        ({"sscd-1": (bytes(1_024),)}, BadFingerprint),
    ):
        with pytest.raises(error):
            columns_of([bad], SPACES)
    with pytest.raises(UnknownSpace):
        columns_of([whole], ["face-9"])
    with pytest.raises(ProtocolError):
        columns_of([], SPACES)


def test_unknown_is_never_clear_whatever_the_registry_says() -> None:
    required = frozenset({"sha256", "pdq-1"})
    for answered in Verdict:
        assert final_verdict(answered, required, required) is answered
        expected = Verdict.EXCLUDE if answered is Verdict.EXCLUDE else Verdict.UNKNOWN
        assert final_verdict(answered, frozenset({"sha256"}), required) is expected
        assert final_verdict(answered, frozenset(), frozenset()) is expected
