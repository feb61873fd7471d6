"""A builder that commits to what it screens, with fingerprints at hand."""

import io
import secrets
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.protocol.certificates import Certificate, sign_certificate
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    BlockPaths,
    block_root,
    in_blocks,
    root_of_rows,
    row,
    rows_of,
)
from consent_client.protocol.results import Answered, write_evidence
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.commitments import Commitment, results_secret
from registry.services.sessions import Opening
from registry.store import committed
from tests.support.registering import Harness

type Image = dict[str, bytes]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


@dataclass
class Committed:
    """A set of images, and a session about it.

    `images` are fingerprints by space, `sha256` among them, in the manifest's order.
    """

    harness: Harness
    images: list[Image]
    builder: object = None
    answers: dict[int, Answered] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images.sort(key=lambda image: image["sha256"])
        self.rows = [
            row(image["sha256"], image_digest({name: (it,) for name, it in image.items()}))
            for image in self.images
        ]
        self.blocks = list(in_blocks(self.rows))
        self.paths = BlockPaths(len(self.rows), map(block_root, self.blocks))
        self.salt = secrets.token_bytes(32)

    @property
    def secret(self) -> bytes:
        return results_secret(self.harness.registry.block_secret, self.screening.id)

    async def open(self, name: str = "Example Lab", **changed: object) -> None:
        self.builder = self.builder or await self.harness.builder(name)
        await self.harness.registry.follower.catch_up()
        given = {"root": self.paths.root, "salt": self.salt, "builder_key": PUBLIC} | changed
        opening = Opening(
            "a set", Use.AI_TRAINING, (), len(self.rows), commitment=Commitment(**given)
        )
        self.screening, _ = await sessions.open_screening(
            self.harness.registry, self.builder, opening
        )

    def block(self, number: int) -> Block:
        images = self.images[number * BLOCK_ROWS : (number + 1) * BLOCK_ROWS]
        columns = []
        for name in sorted({name for image in images for name in image}):
            present = np.array([name in image for image in images])
            columns.append(
                Column(name, present, b"".join(image.get(name, b"") for image in images))
            )
        return Block(number, tuple(columns), self.paths.path(number))

    async def ask(self, block: Block) -> screening.Answer:
        answer = await screening.screen(
            self.harness.registry, self.builder, self.screening.id, block
        )
        self.answers[block.number] = Answered(answer.log_size, answer.verdicts)
        return answer

    async def ask_all(self) -> None:
        for number in range(len(self.blocks)):
            await self.ask(self.block(number))

    async def close(self) -> sessions.Closing:
        return await sessions.close_screening(
            self.harness.registry, self.builder, self.screening.id
        )

    async def logged(self) -> committed.CommittedRow | None:
        async with self.harness.registry.store.read() as connection:
            return await committed.session(connection, self.screening.id)

    @property
    def shipped(self) -> list[bytes]:
        return [
            value
            for number, block in enumerate(self.blocks)
            for value, code in zip(rows_of(block), self.answers[number].verdicts, strict=True)
            if code in (Verdict.CLEAR, Verdict.PERMIT)
        ]

    def evidence(self) -> bytes:
        out = io.BytesIO()
        blocks = zip(self.blocks, (self.answers[n] for n in sorted(self.answers)), strict=True)
        write_evidence(out, self.secret, len(self.rows), blocks, self.shipped)
        return out.getvalue()

    def certificate(self, closing: sessions.Closing, **changed: object) -> bytes:
        root, count = root_of_rows(self.shipped)
        fields = {
            "builder": PUBLIC,
            "registry": self.harness.origin,
            "session_index": closing.logged.session_index,
            "close_index": closing.logged.close_index,
            "results_root": closing.logged.results_root,
            "terms": self.screening.terms,
            "verdicts": closing.verdicts,
            "spaces": closing.present,
            "shipped_root": root,
            "shipped_count": count,
            "tool": ("consent-client", "0"),
        }
        return sign_certificate(Certificate(**fields | changed), KEY)
