"""A process that is killed at any step of publishing: the next one goes on, no byte changes."""

import asyncio
import sys
from pathlib import Path

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.log import Day
from registry.services.publishing import Publisher
from registry.store import entries
from registry.store.engine import Store
from registry.tlog.storage import FolderStorage
from tests.support.published import SIGNER
from tests.support.unchanging import Unchanging, files

OLD, NEW = 250, 530  # two bundles and tiles become full, partial ones go, a level is begun

# Three partial and four full files, each flushed and linked; the checkpoint; what is dropped.
AT_LEAST_STEPS = 7 * 2 + 3 + 4


async def append(store: Store, first: int, last: int) -> None:
    async with store.write() as connection:
        await entries.append(connection, [Day(day).encode() for day in range(first, last)])


async def test_killed_at_every_step_of_a_publication(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    folder, copies = tmp_path / "log", tmp_path / "copies"
    await append(store, 0, OLD)
    await Publisher(store, FolderStorage(folder), SIGNER).publish()
    await append(store, OLD, NEW)
    before = Unchanging(folder, SIGNER.verifier)
    before.check()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_publishing", store_url, folder, copies
    )
    assert await process.wait() == 0
    killed = [copies / str(step) for step in range(len(list(copies.iterdir())))]
    assert len(killed) > AT_LEAST_STEPS
    sizes = []
    for copy in killed:
        published = Unchanging(copy, SIGNER.verifier, before.files, set(before.checkpoints))
        sizes.append(published.check().size)
        again = Publisher(store, FolderStorage(copy), SIGNER)
        assert await again.publish() == NEW
        assert published.check().size == NEW
    assert set(sizes) == {OLD, NEW}
    assert sizes == sorted(sizes)
    assert {files(copy)["checkpoint"] for copy in killed} == {files(killed[-1])["checkpoint"]}
    assert open_checkpoint(files(killed[-1])["checkpoint"].decode(), SIGNER.verifier).size == NEW
