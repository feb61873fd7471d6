"""The database is lost and an older backup restored: everything that was published still holds."""

import pytest

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.log import Erase, EraseReason, decode_entry
from consent_client.protocol.merkle import verify_consistency
from consent_client.protocol.verdicts import Verdict
from registry.errors import CorruptRegistry
from registry.services import operating
from registry.services.days import sequence_day
from registry.services.running import running
from registry.store.engine import open_store
from registry.store.tables import METADATA
from tests.support.backing_up import Backups
from tests.support.people import Picture, until
from tests.support.registering import Harness

CAT, DOG, OWL, FOX, HEN = map(Picture, range(1, 6))


class Disaster:
    """A registry that lost its database after much had been published that no backup holds."""

    def __init__(self, settings, clock, tmp_path, server):
        self.settings, self.clock = settings, clock
        self.companion = tmp_path / "companion.db"
        self.tmp_path, self.server = tmp_path, server
        self.notes = []

    async def happen(self):
        async with running(self.settings, self.clock) as registry:
            registry.publisher.on_published(
                lambda: self.notes.append(registry.publisher.published.note)
            )
            await sequence_day(registry.store, registry.follower, self.clock)
            harness = self.harness = Harness(registry, self.clock)
            self.verifier = registry.signer.verifier
            await harness.protect(CAT)
            self.owner, self.request, _ = await harness.protect(DOG)
            await harness.protect(OWL, until(self.clock.day))
            self.backups = Backups(self.settings, registry.store, self.tmp_path, self.server)
            await self.backups.make()
            _, _, fox = await harness.protect(FOX)
            self.fox = fox.register_index
            await operating.back_up(self.settings, self.companion)
            await harness.withdraw(self.owner, self.request.commitment)
            owner, request, hen = await harness.protect(HEN)
            self.hen = hen.register_index
            await harness.withdraw(owner, request.commitment)
            self.clock.advance(days=1)
            await sequence_day(registry.store, registry.follower, self.clock)
            self.size = await registry.publisher.publish()
        self.before = await self.rows("terminal")
        self.entries = await self.rows("entry")
        self.backups.restore(self.clock)

    async def rows(self, *tables):
        store = open_store(self.settings.database_url)
        try:
            async with store.read() as connection:
                return {
                    name: sorted(
                        map(tuple, await connection.execute(METADATA.tables[name].select())),
                        key=_in_order,
                    )
                    for name in tables
                }
        finally:
            await store.dispose()

    async def everything(self):
        return await self.rows(*METADATA.tables)

    async def restore(self, companion=None, **options):
        return await operating.restore(self.settings, self.clock, companion, **options)

    async def check(self):
        """Everything holds that anybody was told."""
        terminals = {row[0]: row for row in (await self.rows("terminal"))["terminal"]}
        for row in self.before["terminal"]:
            assert terminals[row[0]] == (*row[:3], True)
        all_entries = (await self.rows("entry"))["entry"]
        assert all_entries[: self.size] == self.entries["entry"]
        ends = [decode_entry(row[2]) for row in all_entries]
        assert [entry for entry in ends if isinstance(entry, Erase)] == [
            Erase(self.fox, EraseReason.TECHNICAL)
        ]
        async with running(self.settings, self.clock) as registry:
            again = Harness(registry, self.clock, self.harness.person)
            assert await again.verdicts([CAT, DOG, OWL, FOX, HEN]) == [
                Verdict.EXCLUDE,
                *[Verdict.CLEAR] * 4,
            ]
            _, _, done = await again.protect(FOX)
            assert done.terminal_index is None
            published = await registry.publisher.at_least(done.log_size)
            assert len(self.notes) > 3
            for note in self.notes:
                old = open_checkpoint(note, self.verifier)
                proof = await registry.publisher.prove_consistency(old.size, published.size)
                verify_consistency(old.size, published.size, proof, old.root, published.root)
            assert await again.verdicts([FOX]) == [Verdict.EXCLUDE]


def _in_order(row):
    return (row[0] if isinstance(row[0], int) else 0, repr(row))


@pytest.fixture
async def disaster(settings, clock, tmp_path, server_of):
    happened = Disaster(settings, clock, tmp_path, server_of)
    await happened.happen()
    return happened


@pytest.mark.parametrize("with_companion", [True, False])
async def test_what_was_published_is_taken_from_the_published_log(disaster, with_companion):
    with pytest.raises(CorruptRegistry, match="consent-registry restore"):
        async with running(disaster.settings, disaster.clock):
            pass
    file = disaster.companion if with_companion else None
    restored = await disaster.restore(file)
    # The companion knows of FOX's registration, not of the two withdrawals, HEN and the day.
    assert (restored.entries, restored.published) == ((1, 4) if with_companion else (0, 5))
    assert (restored.ended, restored.lost, restored.readable) == (3, 1, 1)
    after = await disaster.everything()
    again = await disaster.restore(file)
    assert (again.entries, again.published, again.ended, again.lost) == (0, 0, 0, 0)
    assert await disaster.everything() == after
    await disaster.check()
