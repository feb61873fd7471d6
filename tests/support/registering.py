"""Registers, withdraws and screens straight through the services."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from consent_client.protocol.keys import OwnerKey
from consent_client.protocol.records import RegistrationRequest
from consent_client.protocol.sealing import Suite
from consent_client.protocol.statements import Statement, Use
from consent_client.protocol.verdicts import Verdict
from registry.services import builders, screening, sessions
from registry.services.blocks import Block
from registry.services.registration import register
from registry.services.running import Registry
from registry.services.sequencing import Sequenced
from registry.services.sessions import Opening
from registry.services.withdrawal import WithdrawalRequest, withdraw
from tests.support.clocks import HandClock
from tests.support.people import REFUSAL, Person, Picture, columns, solve, withdrawal_signature


@dataclass
class Harness:
    """A registry and the people around it."""

    registry: Registry
    clock: HandClock
    person: Person = field(default_factory=Person)

    @property
    def origin(self) -> str:
        return self.registry.settings.origin

    def request(
        self,
        picture: Picture,
        statement: Statement = REFUSAL,
        suite: Suite = Suite.X_WING,
        fingerprints: dict[str, tuple[bytes, ...]] | None = None,
    ) -> tuple[OwnerKey, RegistrationRequest]:
        return self.person.seal(
            self.origin,
            self.registry.sealing.note,
            self.registry.signer.verifier.vkey,
            fingerprints or picture.fingerprints,
            statement,
            suite,
        )

    def work(self, record_id: bytes) -> str:
        return solve(self.registry.challenges.issue(record_id).proof_of_work)

    async def send(self, request: RegistrationRequest) -> Sequenced:
        return await register(self.registry, request, self.work(request.record_id))

    async def protect(
        self, picture: Picture, statement: Statement = REFUSAL
    ) -> tuple[OwnerKey, RegistrationRequest, Sequenced]:
        owner, request = self.request(picture, statement)
        return owner, request, await self.send(request)

    async def withdraw(self, owner: OwnerKey, commitment: bytes) -> Sequenced:
        signature = withdrawal_signature(owner, self.origin, commitment)
        request = WithdrawalRequest(owner.public, commitment, signature)
        return await withdraw(self.registry, request, "192.0.2.1")

    async def builder(self, name: str = "Example Lab") -> builders.Builder:
        token = await builders.add_builder(self.registry.store, self.clock, name, None)
        return await builders.authenticate(self.registry.store, f"Bearer {token}")

    async def verdicts(
        self,
        pictures: Sequence[Picture | None],
        *spaces: str,
        use: Use = Use.AI_TRAINING,
        required: Sequence[str] = (),
        builder: builders.Builder | None = None,
    ) -> list[Verdict]:
        """Screens the pictures at the newest log size, in a session of its own."""
        await self.registry.follower.catch_up()
        asking = builder or await self.builder(f"lab {self.clock.now()} {id(pictures)}")
        row, _ = await sessions.open_screening(
            self.registry, asking, Opening("a set", use, tuple(required), len(pictures))
        )
        block = Block(0, columns(list(pictures), *spaces))
        answer = await screening.screen(self.registry, asking, row.id, block)
        return [Verdict(byte) for byte in answer.verdicts]
