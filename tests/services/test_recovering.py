"""The database is lost and an older backup restored: everything that was published still holds."""

import shutil
from dataclasses import replace

import pytest

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.log import (
    Day,
    Erase,
    EraseReason,
    decode_bundle,
    decode_entry,
    encode_bundle,
)
from consent_client.protocol.merkle import verify_consistency
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.verdicts import Verdict
from registry.errors import ConfigurationError, Conflict, CorruptRegistry, StoreError
from registry.services import operating, recovering, shredding
from registry.services.certification import certify
from registry.services.days import sequence_day
from registry.services.publishing import Publisher
from registry.services.rotation import GONE_AFTER_SECONDS
from registry.services.running import running
from registry.services.sessions import close_screening
from registry.store import entries, records
from registry.store.engine import open_store
from registry.store.tables import METADATA
from registry.tlog.reading import LogReader
from registry.tlog.storage import FolderStorage
from tests.support.backing_up import Backups
from tests.support.committing import Committed
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


class Interrupted(BaseException):
    """The process ends."""


async def test_wherever_it_ends_running_it_again_finishes_it(disaster, monkeypatch):
    """Before the commit nothing has changed; after it, publishing and shredding are repeated."""

    def ends(*_, **__):
        raise Interrupted

    before = await disaster.everything()
    note = FolderStorage(disaster.settings.log_dir).checkpoint()
    for module, name, committed in (
        (recovering.records, "insert_terminal", False),
        (recovering.LogReader, "check", False),
        (recovering.records, "insert_terminals", False),
        (recovering.records, "count_readable", False),
        (FolderStorage, "swap_checkpoint", True),
        (shredding.records, "shred", True),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, ends)
            with pytest.raises(Interrupted):
                await disaster.restore(disaster.companion)
        assert (await disaster.everything() != before) == committed
        if module is not shredding.records:
            assert FolderStorage(disaster.settings.log_dir).checkpoint() == note
    await disaster.restore(disaster.companion)
    await disaster.check()


def tamper(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


async def test_a_damaged_or_wrong_log_changes_nothing(disaster, tmp_path, clock):
    log = disaster.settings.log_dir
    shutil.copytree(log, tmp_path / "good")
    other = disaster.settings.model_copy(
        update={
            "database_url": f"sqlite+aiosqlite:///{tmp_path}/other.db",
            "keyring_dir": tmp_path / "other keyring",
            "log_dir": tmp_path / "other",
        }
    )
    async with running(other, clock) as registry:
        await Harness(registry, clock).protect(CAT)
        await registry.publisher.publish()
    older = open_checkpoint(disaster.notes[0], disaster.verifier)
    before = await disaster.everything()

    def replaced():
        shutil.rmtree(log)
        shutil.copytree(tmp_path / "other", log)

    bundle = log / "tile" / "entries" / "000.p" / str(disaster.size)
    for damage, refusal, match in (
        (lambda: tamper(bundle), CorruptRegistry, "followed|signs"),
        (lambda: cut(bundle), CorruptRegistry, "damaged"),
        (bundle.unlink, CorruptRegistry, "lacks"),
        (lambda: cut(log / "checkpoint"), ConfigurationError, "not this registry's"),
        (lambda: (log / "checkpoint").write_bytes(b"\xff"), StoreError, "published"),
        (replaced, ConfigurationError, "not this registry's"),
        ((log / "checkpoint").unlink, ConfigurationError, "--log-lost"),
        (lambda: shutil.rmtree(log), ConfigurationError, "--log-lost"),
    ):
        damage()
        for file in (None, disaster.companion):
            with pytest.raises(refusal, match=match):
                await disaster.restore(file)
        assert await disaster.everything() == before
        shutil.rmtree(log, ignore_errors=True)
        shutil.copytree(tmp_path / "good", log)
    assert older.size < disaster.size
    await disaster.restore(disaster.companion)
    await disaster.check()


async def test_no_entry_may_differ_from_what_is_signed(disaster):
    """A withdrawal left out or a day put in would not be noticed by anything but the root."""
    path = disaster.settings.log_dir / "tile" / "entries" / "000.p" / str(disaster.size)
    bundle = decode_bundle(path.read_bytes())
    before = await disaster.everything()
    for index in range(disaster.size):
        path.write_bytes(encode_bundle([*bundle[:index], Day(1).encode(), *bundle[index + 1 :]]))
        with pytest.raises(CorruptRegistry):
            await disaster.restore()
        assert await disaster.everything() == before


async def test_a_database_that_was_written_to_since_has_to_be_restored_once_more(
    disaster, tmp_path, clock
):
    elsewhere = disaster.settings.model_copy(update={"log_dir": tmp_path / "elsewhere"})
    async with running(elsewhere, clock) as registry:
        await Harness(registry, clock).protect(HEN)
    clock.advance(seconds=GONE_AFTER_SECONDS + 1)
    before = await disaster.everything()
    with pytest.raises(Conflict, match="Restore the backup"):
        await disaster.restore()
    assert await disaster.everything() == before
    disaster.backups.restore(clock)
    await disaster.restore()
    await disaster.check()


async def test_without_any_log_the_companion_is_still_of_use(disaster):
    shutil.rmtree(disaster.settings.log_dir)
    restored = await disaster.restore(disaster.companion, log_lost=True)
    assert (restored.entries, restored.published) == (1, 0)
    assert (restored.ended, restored.lost, restored.readable) == (0, 1, 3)


async def test_a_second_disaster_finds_what_the_first_one_left(disaster, tmp_path, clock):
    """A companion made after it knows of ends of records of which nothing else is left."""
    await disaster.restore()
    second = tmp_path / "second.db"
    await operating.back_up(disaster.settings, second)
    disaster.backups.restore(clock)
    restored = await disaster.restore(second)
    assert (restored.entries, restored.published, restored.lost) == (6, 0, 0)
    assert (restored.ended, restored.readable) == (4, 1)
    await disaster.check()


async def test_a_key_that_was_shredded_does_not_come_back_with_the_companion(
    settings, clock, tmp_path, monkeypatch
):
    async def later(_):
        pass

    companion = tmp_path / "companion.db"
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        owner, request, _ = await harness.protect(CAT)
        with monkeypatch.context() as patch:
            patch.setattr(shredding, "shred_rows", later)
            await harness.withdraw(owner, request.commitment)
            await operating.back_up(settings, companion)
    clock.advance(seconds=GONE_AFTER_SECONDS + 1)
    for _ in range(2):
        await operating.restore(settings, clock, companion)
        store = open_store(settings.database_url)
        async with store.read() as connection:
            assert await records.count_keys(connection) == 0
        await store.dispose()


async def test_what_became_of_a_committed_screening_is_known_again(
    settings, clock, tmp_path, server_of
):
    """A session in the backup was closed and certified since: it is not a second time."""
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        await harness.protect(CAT)
        screened = Committed(harness, [{"sha256": number.to_bytes(32)} for number in range(1_000)])
        await screened.open()
        await screened.ask_all()
        backups = Backups(settings, registry.store, tmp_path, server_of)
        await backups.make()
        closing = await screened.close()
        certificate = screened.certificate(closing)
        index = await certify(registry, screened.builder, screened.screening.id, certificate)
        size = await registry.publisher.publish()
    backups.restore(clock)
    await operating.restore(settings, clock, None)
    async with running(settings, clock) as registry:
        again = await close_screening(registry, screened.builder, screened.screening.id)
        assert again == replace(closing, logged=again.logged)
        assert again.logged.close_index == closing.logged.close_index
        assert again.logged.results_root == closing.logged.results_root
        certified = await certify(registry, screened.builder, screened.screening.id, certificate)
        assert certified == index
        assert await registry.publisher.publish() == size


async def test_a_copy_that_was_made_while_the_log_grew_will_do(store, tmp_path):
    """Its checkpoint is of before, and what it is about is in full tiles by now."""
    signer = NoteSigner("registry.example/test", bytes(32))
    publisher = Publisher(store, FolderStorage(tmp_path / "log"), signer)
    async with store.write() as connection:
        await entries.append(connection, [Day(day).encode() for day in range(700)])
    await publisher.publish()
    note = publisher.published.note
    async with store.write() as connection:
        await entries.append(connection, [Day(day).encode() for day in range(700, 800)])
    await publisher.publish()
    assert not (tmp_path / "log" / "tile" / "entries" / "002.p").exists()
    (tmp_path / "log" / "checkpoint").write_text(note)
    storage = FolderStorage(tmp_path / "log")
    reader = LogReader(storage, note, signer.verifier)
    read = []
    while bundle := reader.read():
        read += bundle
    reader.check()
    assert read == [Day(day).encode() for day in range(700)]
    assert await Publisher(store, storage, signer).publish() == 800
