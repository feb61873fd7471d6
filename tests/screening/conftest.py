"""A served registry that has published, what is planted in the data set, and a pulled snapshot."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consent_client.protocol.statements import Use
from consent_client.screening.batches import Confirm, ScreenBatch, screening_of
from tests.support import planted
from tests.support.serving import Server, serving

TOKEN_VARIABLE = "SCREENING_TEST_TOKEN"


@dataclass(frozen=True)
class Published:
    """A registry, its verifier key, a builder's token, and a snapshot pulled from it."""

    server: Server
    verifier: str
    token: str
    snapshot: Path

    def screening(self, schema=None, **asked) -> ScreenBatch:
        confirm = asked.pop("confirm", Confirm.NONE)
        return screening_of(
            asked.pop("snapshot", self.snapshot),
            self.verifier,
            use=asked.pop("use", Use.AI_TRAINING),
            schema=planted.table().schema if schema is None else schema,
            confirm=confirm,
            registry=self.server.url,
            token_variable=TOKEN_VARIABLE,
            dataset="planted",
            **asked,
        )


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("screening")
    with serving(folder / "registry") as server:
        planted.register(server, folder / "person")
        planted.register_face(server, folder / "somebody")
        snapshot = planted.pulled(server, folder / "snapshot")
        yield Published(
            server, planted.verifier_of(server), server.add_builder("Planted"), snapshot
        )


@pytest.fixture
def token(published: Published, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(TOKEN_VARIABLE, published.token)
    return published.token
