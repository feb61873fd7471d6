"""How long an answer takes tells no more of an image than its verdict does.

Two ways. What the registry does for a block is counted: the statements it sends to the database and
the bytes it answers are the same whether the block's image matches, comes near the border of a
match, or has nothing to do with any record. And answers are timed through the whole application,
one image to a block, where a watcher sees most.

Timed is so that the test does not fail by accident. Each round asks one block of each kind, in an
order drawn at random, so that whatever else the machine does is as likely to fall on the one as on
the other: of `ROUNDS` rounds, each is a fair coin. Counted are the rounds in which one kind takes
longer than the other by more than `TOLERANCE` seconds, and it fails from `TOO_MANY` on. Unless the
kind itself makes a difference of more than the tolerance, that happens once in 10⁷ runs for each of
four comparisons (Fisher's sign test; the chance is computed below, and asserted). What it does not
find is a smaller difference: docs/threat-model.md says how large those are.
"""

import asyncio
import base64
import contextlib
import contextvars
import json
import math
import random
import re
import time
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest
from sqlalchemy import event

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.screening import Column
from registry.api.bodies import BodyLimits
from registry.api.schema import View
from registry.services import builders, matched
from registry.services.days import sequence_day
from registry.services.running import running
from registry.settings import Settings
from registry.store import budgets, contests
from tests.support.clocks import HandClock
from tests.support.people import Picture
from tests.support.registering import Harness

OPEN = """mutation($input: OpenScreeningInput!) { openScreening(input: $input) {
  ... on Screening { id } ... on Problem { code message } } }"""
SCREEN = """mutation($input: ScreenInput!) { screen(input: $input) { __typename
  ... on ScreenedBlock { verdicts } ... on Problem { code message } } }"""

RECORDS = 16
UNLIMITED = 10**9

ROUNDS = 40
TOO_MANY = 36
BEST_OF = 2
"""Blocks of a kind in a round; the quickest counts, as load only ever adds."""

TOLERANCE = 0.002
LEAKS = (0.04, 0.16, 0.64)
"""What the control adds for a match, in turn until it is noticed: the busier a machine is, the more
it hides, and the control is not to fail by accident either."""

KINDS = {"far": None, "likened": 0.40, "beside the border": 0.49, "match": 0.90}
"""How alike the image is to a record, whose threshold is .50; all but the last are CLEAR."""


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@dataclass
class Watcher:
    """Asks blocks over the application, and sees how long each takes and what comes back."""

    registry: object
    client: httpx.AsyncClient
    screening_id: str
    records: int
    drawn: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))
    number: int = 0

    def block(self, kind, count):
        """A body with images that nobody asked for before, each of its own record."""
        vectors = unit(self.drawn.standard_normal((count, 512)))
        if KINDS[kind] is not None:
            chosen = self.drawn.choice(self.records, count, replace=False)
            record = unit(
                np.stack([np.frombuffer(Picture(i).sscd, "<f2") for i in chosen], dtype=float)
            )
            vectors = unit(vectors - (vectors * record).sum(axis=1, keepdims=True) * record)
            vectors = KINDS[kind] * record + math.sqrt(1 - KINDS[kind] ** 2) * vectors
        data = {
            "sscd-1": b"".join(encode_float(vector.astype(np.float32)) for vector in vectors),
            "pdq-1": self.drawn.bytes(32 * count),
            "sha256": self.drawn.bytes(32 * count),
        }
        present = np.ones(count, np.bool_)
        columns = [Column(space_id, present, each) for space_id, each in data.items()]
        variables = {
            "screeningId": self.screening_id,
            "block": self.number,
            "count": count,
            "columns": [
                {"space": c.space_id, "present": b64(c.bitmap), "fingerprints": b64(c.data)}
                for c in columns
            ],
        }
        self.number += 1
        return json.dumps({"query": SCREEN, "variables": {"input": variables}}).encode()

    async def ask(self, kind, count=1):
        """Seconds, verdicts, and all that came back but the verdicts."""
        body = self.block(kind, count)
        started = time.perf_counter()
        answer = await self.client.post("/graphql", content=body)
        seconds = time.perf_counter() - started
        verdicts = answer.json()["data"]["screen"]["verdicts"]
        assert base64.b64decode(verdicts) == bytes([kind == "match"]) * count
        headers = sorted((name, value) for name, value in answer.headers.items() if name != "date")
        return seconds, (answer.status_code, headers, len(answer.content))


def b64(data):
    return base64.b64encode(data).decode()


@contextlib.asynccontextmanager
async def watching(folder, records=RECORDS):
    """A registry with some records below a folder, and who watches it."""
    settings = Settings(
        origin="registry.example/test",
        data_dir=folder / "data",
        keyring_dir=folder / "keyring",
        proof_of_work_digits=1,
        budget=UNLIMITED,  # or it would have to stop asking after some dozen blocks
        border_budget=UNLIMITED,
    )
    clock = HandClock()
    async with running(settings, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        harness = Harness(registry, clock)
        await asyncio.gather(*(harness.protect(Picture(seed)) for seed in range(records)))
        await registry.follower.catch_up()
        token = await builders.add_builder(registry.store, clock, "watcher", None)
        transport = httpx.ASGITransport(BodyLimits(View(registry), registry))
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://registry.example", headers=headers
        ) as client:
            variables = {"dataset": "a set", "use": "AI_TRAINING", "requiredSpaces": []}
            asked = {"query": OPEN, "variables": {"input": variables | {"candidateCount": 10**6}}}
            opened = await client.post("/graphql", json=asked)
            opened_id = opened.json()["data"]["openScreening"]["id"]
            yield Watcher(registry, client, opened_id, records)


@pytest.fixture
async def watcher(tmp_path):
    async with watching(tmp_path) as it:
        yield it


WORDS = re.compile(r"^\w+|(?<=FROM )\w+|(?<=INTO )\w+|(?<=UPDATE )\w+")
"""Of a statement: what it does, and to which tables."""

NOTED = contextvars.ContextVar("statements that a request sends to the database", default=None)


@pytest.fixture
def noting(watcher):
    """Notes statements of whoever has set `NOTED`: not those of the follower and the chores."""

    def note(_connection, _cursor, statement, *_):
        if NOTED.get() is not None:
            NOTED.get().append(" ".join(WORDS.findall(statement)[:2]))

    engines = [watcher.registry.store._readers, watcher.registry.store._writers]
    for engine in engines:
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield
    for engine in engines:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def work(watcher, kind, count):
    """What the registry asks its database for one block, and the shape of the answer."""
    statements = []
    token = NOTED.set(statements)
    _, seen = await watcher.ask(kind, count)
    NOTED.reset(token)
    return statements, seen


def without_the_defence(monkeypatch):
    """As one would write it: what is not there is not written, and nothing is asked about it."""
    count, counted, insert = budgets.count, budgets.counted, contests.insert_excluded

    async def count_some(connection, builder_id, told):
        if told:
            await count(connection, builder_id, told)

    async def counted_some(connection, builder_id, registers):
        return await counted(connection, builder_id, registers) if registers else {}

    async def insert_some(connection, screening_id, number, digests):
        if digests:
            await insert(connection, screening_id, number, digests)

    monkeypatch.setattr(budgets, "count", count_some)
    monkeypatch.setattr(budgets, "counted", counted_some)
    monkeypatch.setattr(contests, "insert_excluded", insert_some)


@pytest.mark.parametrize("count", [1, 16])
async def test_the_database_is_asked_the_same_and_the_answer_has_the_same_shape(
    watcher, noting, count
):
    done = {kind: await work(watcher, kind, count) for kind in KINDS}
    statements, _ = done["far"]
    assert {"INSERT positive", "INSERT excluded", "INSERT screening_block"} < set(statements)
    assert all(each == done["far"] for each in done.values()), done


async def test_without_the_defence_the_statements_tell(watcher, noting, monkeypatch):
    without_the_defence(monkeypatch)
    done = {kind: len((await work(watcher, kind, 1))[0]) for kind in KINDS}
    assert done["far"] == done["likened"] < done["beside the border"] < done["match"]


def chance(rounds, hits):
    """Of at least so many heads."""
    return sum(math.comb(rounds, k) for k in range(hits, rounds + 1)) / 2**rounds


async def told_apart(watcher, kinds, capsys):
    """Which of these kinds take another time than "far" does."""
    seconds = {kind: [] for kind in ("far", *kinds)}
    for kind in seconds:
        await watcher.ask(kind)
    drawn = random.Random()  # not seeded: nothing else of the machine keeps in step with it
    for _ in range(ROUNDS):
        order = [kind for kind in seconds for _ in range(BEST_OF)]
        drawn.shuffle(order)
        taken = {kind: [] for kind in seconds}
        for kind in order:
            taken[kind].append((await watcher.ask(kind))[0])
        for kind, each in taken.items():
            seconds[kind].append(min(each))
    far = np.array(seconds["far"])
    with capsys.disabled():
        for kind, each in seconds.items():
            slower = (np.array(each)[:, None] > far).mean()
            print(f" [{kind}: median {np.median(each) * 1e3:.1f} ms, slower {slower:.0%}]", end="")
    longer = {kind: np.array(seconds[kind]) - far for kind in kinds}
    return {
        kind
        for kind, more in longer.items()
        if max((more > TOLERANCE).sum(), (more < -TOLERANCE).sum()) >= TOO_MANY
    }


async def test_answers_take_as_long_whether_the_image_matches_or_not(watcher, capsys):
    kinds = ["beside the border", "match"]
    assert 2 * len(kinds) * chance(ROUNDS, TOO_MANY) < 1e-6
    assert not await told_apart(watcher, kinds, capsys)


async def test_the_same_watcher_notices_what_looks_at_a_match_for_longer(
    watcher, capsys, monkeypatch
):
    """The control: what takes longer for an image that matches, as one more look-up would."""
    combine, leaks = matched.combine_block, list(LEAKS)

    def leaky(count, rows, *others):
        time.sleep(leaks[0] * (len(rows) > 0))
        return combine(count, rows, *others)

    monkeypatch.setattr(matched, "combine_block", leaky)
    while leaks and not await told_apart(watcher, ["match"], capsys):
        del leaks[0]
    assert leaks, "no leak was noticed"
