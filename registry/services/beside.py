"""The indexes of a registry for an operator's command, beside the processes that serve."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from registry.errors import RegistryError
from registry.matching.packaged_bank import packaged_bank
from registry.matching.registry_index import MatchingIndex
from registry.services.clock import Clock
from registry.services.following import Follower
from registry.services.operating import founded
from registry.services.running import PROCESS_ID_BYTES
from registry.settings import Settings
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring


@asynccontextmanager
async def followed(settings: Settings, clock: Clock) -> AsyncIterator[Follower]:
    """A follower of a registry's log, as a serving process has one, until the end.

    Raises:
        ConfigurationError, StoreError, VaultError: as `founded`, and as following.
    """
    async with founded(settings) as store:
        follower = Follower(
            store,
            Keyring(FileKeyStore(settings.keyring_dir)),
            MatchingIndex(bank=packaged_bank()),
            clock,
            secrets.token_hex(PROCESS_ID_BYTES),
            settings.follow_seconds,
        )
        await follower.catch_up()
        following = asyncio.create_task(follower.run(), name="following")
        try:
            yield follower
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            with suppress(RegistryError):
                await follower.leave()
