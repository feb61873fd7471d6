"""Publishing: whatever interrupts it, what was published stays the beginning of what comes."""

import asyncio
import contextlib
import shutil
import threading

import pytest

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.log import Day, EntryType, decode_bundle, decode_entry
from consent_client.protocol.merkle import (
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.notes import NoteSigner
from registry.errors import (
    CorruptRegistry,
    InvalidInput,
    NotPublished,
    RateLimited,
    StoreBusy,
    StoreError,
)
from registry.services import publishing, sequencing
from registry.services.proofs import Watchers
from registry.services.publishing import Publisher
from registry.services.running import running
from registry.services.shredding import shred_ended
from registry.store import entries
from registry.tlog import storage as storages
from registry.tlog.storage import FolderStorage
from tests.support.people import Picture

CAT = Picture(1)
SIGNER = NoteSigner("registry.example/test", bytes(range(32)))


@pytest.fixture
def storage(tmp_path):
    return FolderStorage(tmp_path / "log")


@pytest.fixture
def publisher(store, storage):
    return Publisher(store, storage, SIGNER)


def encoded(first, last):
    return [Day(day).encode() for day in range(first, last)]


async def append(store, first, last):
    async with store.write() as connection:
        await entries.append(connection, encoded(first, last))


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


class Interrupted(Exception):
    """A process ends."""


class Interrupting(FolderStorage):
    """Ends before its n-th change."""

    def __init__(self, folder, steps):
        super().__init__(folder)
        self.steps = steps

    def _step(self):
        if not self.steps:
            raise Interrupted
        self.steps -= 1

    def put(self, files):
        for path, data in files.items():
            self._step()
            super().put({path: data})

    def drop_partial(self, paths):
        self._step()
        super().drop_partial(paths)

    def swap_checkpoint(self, known, new):
        self._step()
        super().swap_checkpoint(known, new)


async def test_what_is_committed_is_published_and_proved(store, publisher, storage):
    tree = Tree()
    for first, last in ((0, 1), (1, 7), (7, 600), (600, 601)):
        await append(store, first, last)
        old = publisher.published
        assert await publisher.publish() == last
        for entry in encoded(first, last):
            tree.append(leaf_hash(entry))
        published = publisher.published
        checkpoint = open_checkpoint(storage.checkpoint(), SIGNER.verifier)
        assert (checkpoint.size, checkpoint.root) == (last, tree.root())
        assert (published.size, published.root) == (last, tree.root())
        for index in {0, first, last - 1}:
            proof = await publisher.prove_inclusion(index)
            leaf = leaf_hash(Day(index).encode())
            verify_inclusion(leaf, index, last, proof, checkpoint.root)
        if old:
            proof = await publisher.prove_consistency(old.size, last)
            verify_consistency(old.size, last, proof, old.root, checkpoint.root)


async def test_older_proofs_are_made_when_their_partial_tiles_are_gone(store, publisher, tmp_path):
    await append(store, 0, 100)
    await publisher.publish()
    old = publisher.published
    await append(store, 100, 300)
    await publisher.publish()
    assert not (tmp_path / "log" / "tile" / "0" / "000.p").exists()
    leaf = leaf_hash(Day(50).encode())
    verify_inclusion(leaf, 50, 100, await publisher.prove_inclusion(50, 100), old.root)


async def test_nothing_is_proved_that_is_not_published(store, publisher):
    await append(store, 0, 3)
    await publisher.publish()
    await append(store, 3, 5)
    for index, size in ((3, None), (-1, None), (3, 5), (2, 2), (0, 0)):
        with pytest.raises(InvalidInput):
            await publisher.prove_inclusion(index, size)
    for old, new in ((0, 4), (3, 2), (-1, 2)):
        with pytest.raises(InvalidInput):
            await publisher.prove_consistency(old, new)


async def test_wherever_it_ends_the_next_goes_on_and_no_byte_changes(store, tmp_path):
    await append(store, 0, 250)
    folder = tmp_path / "log"
    await Publisher(store, FolderStorage(folder), SIGNER).publish()
    await append(store, 250, 530)
    before = files(folder)
    for steps in range(20):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(folder, tmp_path / "copy")
        interrupted = Publisher(store, Interrupting(tmp_path / "copy", steps), SIGNER)
        with contextlib.suppress(Interrupted):
            await interrupted.publish()
            assert steps > 5
            break
        after = files(tmp_path / "copy")
        assert {path: after.get(path, data) for path, data in before.items()}.items() >= {
            (path, data) for path, data in before.items() if path != "checkpoint"
        }
        published = open_checkpoint(after["checkpoint"].decode(), SIGNER.verifier)
        assert published.size in {250, 530}
        again = Publisher(store, FolderStorage(tmp_path / "copy"), SIGNER)
        assert await again.publish() == 530
        proof = await again.prove_consistency(250, 530)
        old = open_checkpoint(before["checkpoint"].decode(), SIGNER.verifier)
        verify_consistency(250, 530, proof, old.root, again.published.root)
    else:
        raise AssertionError("it never came to its end")


async def test_two_publishers_make_one_log(store, tmp_path):
    publishers = [Publisher(store, FolderStorage(tmp_path / "log"), SIGNER) for _ in range(3)]
    seen = []
    for number in range(5):
        await append(store, 100 * number, 100 * number + 100)
        await asyncio.gather(*(publisher.publish() for publisher in publishers))
        seen.append({publisher.published for publisher in publishers})
    assert [len(each) for each in seen] == [1] * 5
    (last,) = seen[-1]
    assert last.root == Tree(map(leaf_hash, encoded(0, 500))).root()


class Slow(FolderStorage):
    """Swaps no checkpoint before it is told to."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked, self.told = threading.Event(), threading.Event()

    def swap_checkpoint(self, known, new):
        self.asked.set()
        assert self.told.wait(10)
        super().swap_checkpoint(known, new)


async def test_a_publisher_that_is_stopped_lets_nobody_publish_before_its_thread_has_ended(
    store, storage, tmp_path, monkeypatch
):
    """Or the thread puts its checkpoint in the place of a newer one, and the log goes back."""
    monkeypatch.setattr(storages, "LOCK_PATIENCE_SECONDS", 0.0)
    await append(store, 0, 3)
    slow = Slow(tmp_path / "log")
    stopped = asyncio.create_task(Publisher(store, slow, SIGNER).publish())
    assert await asyncio.to_thread(slow.asked.wait, 10)
    await append(store, 3, 5)
    for _ in range(2):  # also one who is impatient
        stopped.cancel()
        await asyncio.wait([stopped], timeout=0.05)
        with pytest.raises(StoreBusy):
            await Publisher(store, storage, SIGNER).publish()
    slow.told.set()
    await asyncio.wait([stopped])
    assert stopped.cancelled()
    assert open_checkpoint(storage.checkpoint(), SIGNER.verifier).size == 3
    assert await Publisher(store, storage, SIGNER).publish() == 5


@pytest.mark.parametrize("size", [1, 120, 256, 300, 511, 650, 700])
async def test_any_two_sizes_of_the_published_log_are_proved_published_or_not(
    store, publisher, size
):
    for first, last in ((0, 100), (100, 290), (290, 600), (600, 700)):
        await append(store, first, last)
        await publisher.publish()
    tree = Tree(map(leaf_hash, encoded(0, 700)))
    leaf = leaf_hash(Day(size // 2).encode())
    proof = await publisher.prove_inclusion(size // 2, size)
    verify_inclusion(leaf, size // 2, size, proof, tree.root(size))
    for other in (1, 77, 255, 257, 512, 699):
        old, new = sorted((size, other))
        proof = await publisher.prove_consistency(old, new)
        verify_consistency(old, new, proof, tree.root(old), tree.root(new))


async def test_what_was_read_and_not_signed_is_read_again(store, tmp_path):
    """A database that fails over can lose what it said was committed."""
    interrupting = Interrupting(tmp_path / "log", steps=2)
    publisher = Publisher(store, interrupting, SIGNER)
    await append(store, 0, 300)
    with pytest.raises(Interrupted):  # after the full tile and bundle
        await publisher.publish()
    async with store.write() as connection:
        await connection.exec_driver_sql('DELETE FROM entry WHERE "index" >= 299')
    await append(store, 900, 902)
    interrupting.steps = 100
    assert await publisher.publish() == 301
    published = open_checkpoint(interrupting.checkpoint(), SIGNER.verifier)
    ours = Tree(map(leaf_hash, [*encoded(0, 299), *encoded(900, 902)]))
    assert published.root == ours.root()
    assert not list((tmp_path / "log").glob("tile/0/000.p"))


@pytest.mark.parametrize("size", [5, 256, 257, 512])
async def test_other_entries_than_those_published_are_found_out(store, publisher, storage, size):
    """Also where the last bundle is full, and where there are as many or more."""
    await append(store, 0, size)
    await publisher.publish()
    async with store.write() as connection:
        await connection.exec_driver_sql(f'DELETE FROM entry WHERE "index" = {size - 1}')
    for first, last in ((900, 901), (901, 902)):
        await append(store, first, last)
        with pytest.raises(CorruptRegistry, match="not those of the database"):
            await Publisher(store, storage, SIGNER).publish()


async def test_a_database_that_is_older_than_what_was_published_is_not_continued(
    store, publisher, storage
):
    await append(store, 0, 5)
    await publisher.publish()
    async with store.write() as connection:
        await connection.exec_driver_sql('DELETE FROM entry WHERE "index" = 4')
    for restarted in (publisher, Publisher(store, storage, SIGNER)):
        with pytest.raises(CorruptRegistry, match="4 entries, 5 are published"):
            await restarted.publish()
    with pytest.raises(CorruptRegistry):
        _ = publisher.published
    await append(store, 7, 9)  # written by whoever did not look
    with pytest.raises(CorruptRegistry, match="not those of the database"):
        await Publisher(store, storage, SIGNER).publish()


async def test_a_published_log_that_goes_back_or_is_anothers_is_found_out(
    store, publisher, storage, tmp_path
):
    await append(store, 0, 3)
    await publisher.publish()
    kept = files(tmp_path / "log")
    await append(store, 3, 5)
    await publisher.publish()
    path = tmp_path / "log" / "checkpoint"
    newest = path.read_bytes()
    path.write_bytes(kept["checkpoint"])
    with pytest.raises(CorruptRegistry, match="went back from 5 to 3"):
        await publisher.publish()
    path.write_bytes(newest)
    for damaged in (b"", b"\xff", newest.replace(b"example", b"exemple"), newest[:-3]):
        path.write_bytes(damaged)
        with pytest.raises((CorruptRegistry, StoreError)):
            await Publisher(store, storage, SIGNER).publish()
    path.write_bytes(newest)
    (tmp_path / "log" / "tile" / "0" / "000.p" / "5").write_bytes(bytes(5 * 32))
    with pytest.raises(CorruptRegistry, match="not what their checkpoint signs"):
        await Publisher(store, storage, SIGNER).publish()


async def test_an_answer_waits_for_its_checkpoint_and_not_for_ever(store, publisher, monkeypatch):
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(NotPublished):
        await publisher.at_least(1)
    task = asyncio.create_task(publisher.run())
    waiting = asyncio.create_task(publisher.at_least(2))
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 5)
    await append(store, 0, 2)
    publisher.wake()
    assert (await waiting).size == 2
    assert (await publisher.at_least(2)).size == 2
    task.cancel()


async def test_a_storage_that_fails_for_a_while_holds_nobody_up_for_good(store, tmp_path):
    folder = tmp_path / "log"
    folder.write_text("in the way")
    publisher = Publisher(store, FolderStorage(folder), SIGNER)
    await append(store, 0, 2)
    task = asyncio.create_task(publisher.run())
    await asyncio.sleep(0.02)
    folder.unlink()
    publisher.wake()
    assert (await publisher.at_least(2)).size == 2
    assert publisher.sound
    task.cancel()


async def test_a_record_is_shredded_only_once_its_end_is_published(harness, monkeypatch):
    owner, request, done = await harness.protect(CAT)
    publisher = harness.registry.publisher
    await publisher.at_least(done.register_index + 1)

    async def stuck():
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "_publish", stuck)
        ended = await harness.withdraw(owner, request.commitment)
        assert publisher.size <= ended.terminal_index
        await shred_ended(harness.registry.store, publisher.size)
        assert await keys(harness) == 1
    await publisher.at_least(ended.terminal_index + 1)
    async with asyncio.timeout(5):
        while await keys(harness):
            await asyncio.sleep(0.01)


async def keys(harness):
    async with harness.registry.store.read() as connection:
        return (await connection.exec_driver_sql("SELECT count(*) FROM data_key")).scalar()


async def test_so_many_wait_for_checkpoints_and_no_more(store, publisher):
    await append(store, 0, 1)
    await publisher.publish()
    watchers = Watchers(most=1)
    first = watchers.checkpoints(publisher)
    assert (await anext(first)).size == 1
    with pytest.raises(RateLimited):
        await anext(watchers.checkpoints(publisher))
    await first.aclose()
    assert (await anext(watchers.checkpoints(publisher))).size == 1


def test_the_order_of_a_batch_is_drawn_by_lot():
    """Twenty changes that come one after the other stand in that order once in 10¹⁸ times."""
    came = [pending(number) for number in range(20)]
    (batch,) = sequencing._batches(came)
    assert batch != came
    assert {id(each) for each in batch} == {id(each) for each in came}


def test_what_is_done_to_one_record_stays_in_its_order_and_in_batches_of_its_own():
    first, second, third = pending(1), pending(1), pending(1)
    batches = list(sequencing._batches([first, pending(2), second, pending(3), third]))
    assert [len(batch) for batch in batches] == [3, 1, 1]
    assert first in batches[0]
    assert batches[1:] == [[second], [third]]


def pending(number):
    change = sequencing.Withdrawing(number.to_bytes(16), bytes(32), bytes(32), bytes(64))
    return sequencing._Pending(change, None)


async def test_a_registry_starts_on_the_log_it_published(settings, clock):
    async with running(settings, clock) as registry:
        await registry.publisher.at_least(1)
        size = registry.publisher.size
        note = registry.publisher.published.note
    data = (settings.log_dir / "tile" / "entries" / "000.p" / str(size)).read_bytes()
    assert decode_entry(decode_bundle(data)[0]).type is EntryType.DAY
    async with running(settings, clock) as registry:
        assert (await registry.publisher.at_least(size)).note == note
    shutil.rmtree(settings.log_dir)  # deterministic: it is all in the database
    async with running(settings, clock) as registry:
        assert (await registry.publisher.at_least(size)).note == note
