"""The second story: somebody registers a recent portrait, and an old photograph of them is found.

Six freely licensed portraits of four people in public office play in it; see
`demo/portraits/CREDITS.md`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from consent_client.builder import Builder
from consent_client.errors import MissingModel
from consent_client.fingerprints.images import (
    ImageFingerprints,
    fingerprint_image,
    load_models,
    registration_fingerprints,
)
from consent_client.protocol.statements import Basis, Stance, Statement, Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant
from demo.registry_process import RunningRegistry
from demo.seen import Seen

FOLDER = Path(__file__).with_name("portraits")
FACE = "face-1"
USE = Use.AI_GENERATIVE_TRAINING


@dataclass(frozen=True, slots=True)
class Portrait:
    """One of the portraits."""

    file: str
    person: str
    year: str
    credit: str

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / self.file

    @property
    def title(self) -> str:
        """Who and when."""
        return f"{self.person}, {self.year}" if self.year else self.person


REGISTERED = Portrait("person_a_2.jpg", "Emmanuel Macron", "2025", "Nebojša Tejić, public domain")

CANDIDATES = (
    Portrait(
        "person_a_1.jpg",
        "Emmanuel Macron",
        "2014",
        "Ministère de l'Economie et des Finances français, CC BY-SA 3.0 fr",
    ),
    Portrait("person_b_1.jpg", "Jacinda Ardern", "2018", "Newzild, CC BY-SA 4.0"),
    Portrait(
        "person_b_2.jpg",
        "Jacinda Ardern",
        "2022",
        "Office of the Vice President of the United States, public domain",
    ),
    Portrait("impostor_1.jpg", "Barack Obama", "", "United States Senate, public domain"),
    Portrait("impostor_2.jpg", "Rishi Sunak", "", "Chris McAndrew, CC BY 3.0"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What two builders heard about a portrait.

    Attributes:
        looked: the one who opted in to looking for people; None where that could not be played.
        did_not_look: the one who asks about copies of works only.
    """

    portrait: Portrait
    looked: Verdict | None
    did_not_look: Verdict

    @property
    def is_the_person(self) -> bool:
        """Whether it shows who registered."""
        return self.portrait.person == REGISTERED.person


@dataclass(frozen=True, slots=True)
class PeopleStory:
    """How it went.

    Attributes:
        without_faces: why nobody's face was looked for; empty where they were.
        entry: index of the REGISTER entry in the log.
        answers: one for each portrait but the registered one.
    """

    without_faces: str
    entry: int
    answers: tuple[Answer, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What must not happen and did."""
        problems = []
        for answer in self.answers:
            wanted = Verdict.EXCLUDE if answer.is_the_person else Verdict.CLEAR
            if answer.looked not in (None, wanted):
                problems.append(f"{answer.portrait.title}: {answer.looked.name}, looking for faces")
            if answer.did_not_look is not Verdict.CLEAR:
                problems.append(f"{answer.portrait.title}: excluded as a copy, and is none")
        return tuple(problems)

    @property
    def words(self) -> str:
        """What came of it, in a sentence or two."""
        person = next(each for each in self.answers if each.is_the_person).portrait
        if self.without_faces:
            return (
                f"Faces were not looked for: {self.without_faces}. Only copies of the registered "
                f"picture can be found so; the photograph of {person.year} was kept."
            )
        others = sum(answer.looked is Verdict.EXCLUDE for answer in self.answers) - 1
        return (
            f"A portrait of {REGISTERED.year} was registered with its face. The same person's "
            f"photograph of {person.year} was excluded, and {others or 'no'} photograph of "
            "anybody else."
        )


def play(
    registry: RunningRegistry,
    state: Path,
    spaces: Collection[str],
    seen: Seen,
    *,
    with_faces: bool,
) -> PeopleStory:
    """One person registers a portrait; two builders ask about the others.

    Args:
        registry: serving.
        state: the person's own folder, to be made.
        spaces: of works, as in the rest of the demonstration.
        seen: told of every fingerprint.
        with_faces: whether to use the face models, if they are installed.
    """
    without = _why_without(with_faces=with_faces)
    of_person = [*spaces] if without else [*spaces, FACE]
    statement = Statement.of(dict.fromkeys(Use, Stance.NOT_ALLOWED), Basis.DATA_SUBJECT)
    made = registration_fingerprints(REGISTERED.path, of_person)
    seen.add(made)
    with Registrant(registry.address, state=state) as registrant:
        registrant.ensure_phrase()
        record = registrant.protect(made.fingerprints, statement, label="a portrait of mine")
    assert record.register_index is not None  # noqa: S101 (a registered record has one)
    candidates = [(each, fingerprint_image(each.path, of_person)) for each in CANDIDATES]
    for _, found in candidates:
        seen.add(found)
    copies = _ask(registry, candidates, required=("sha256",), opt_in=())
    people: Sequence[Verdict | None] = (
        [None] * len(candidates)
        if without
        else _ask(registry, candidates, required=("sha256", FACE), opt_in=(FACE,))
    )
    answers = zip(CANDIDATES, people, copies, strict=True)
    return PeopleStory(without, record.register_index, tuple(Answer(*each) for each in answers))


def _why_without(*, with_faces: bool) -> str:
    if not with_faces:
        return "--without-faces was given"
    try:
        load_models([FACE])
    except MissingModel:
        return "the extra consent-client[face] is not installed"
    return ""


def _ask(
    registry: RunningRegistry,
    candidates: Sequence[tuple[Portrait, ImageFingerprints]],
    *,
    required: Sequence[str],
    opt_in: Sequence[str],
) -> list[Verdict]:
    items = [(portrait, found.fingerprints) for portrait, found in candidates]
    with Builder(registry.address, token=registry.token) as builder:
        answers = builder.screen(
            items,
            dataset="portraits",
            use=USE,
            required_spaces=required,
            opt_in_spaces=opt_in,
            lawful_basis_stated=bool(opt_in),
        )
        return [answer.verdict for answer in answers]
