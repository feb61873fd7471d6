"""The operator's side of a dispute: a picture in, what excludes it out, and a decision logged.

It fingerprints the picture as builders do; nothing that serves imports it. The picture is read and
forgotten.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.fingerprints.images import IMAGE_SPACES, PICTURE_SPACES, fingerprint_image
from consent_client.fingerprints.url import url_fingerprint
from consent_client.protocol.log import DisputeOutcome, DisputeReason
from consent_client.protocol.spaces import PERSON_SPACES
from registry.errors import InvalidInput
from registry.services import disputes
from registry.services.beside import followed
from registry.services.clock import Clock
from registry.services.disputes import Disputed, Refusal
from registry.services.founding import block_secret
from registry.services.operating import founded, publish_and_shred
from registry.services.sessions import SCREENING_ID_BYTES
from registry.settings import Settings
from registry.store import screenings
from registry.store.engine import Store
from registry.vault.key_store import FileKeyStore

MOST_SESSIONS: Final = 100
"""Sessions of one name that are looked through, the newest."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is disputed.

    Attributes:
        screening: the session's id in hex, or its data set's name.
        image: the file that was screened.
        url: its address, where addresses were screened too.
    """

    screening: str
    image: Path
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of looking.

    Attributes:
        screening_id: of the session it was found in.
        dataset: its name.
        block, row: where it was.
        refusals: the records that exclude it now.
    """

    screening_id: bytes
    dataset: str
    block: int
    row: int
    refusals: tuple[Refusal, ...]


async def examine(settings: Settings, clock: Clock, picture: Picture) -> Examined:
    """Finds the picture in its session, and what excludes it now.

    Raises:
        InvalidInput: no such session, or it excluded no such image.
        ImageError, MissingModel: the picture can not be fingerprinted.
        StoreError, VaultError, CorruptRegistry: the registry can not be read.
    """
    async with founded(settings) as store:
        disputed = await _disputed(store, await _secret(settings, store), picture)
    async with followed(settings, clock) as follower:
        state = await follower.answerable()
        found = await asyncio.to_thread(disputes.refusals, state, disputed)
    screening = disputed.screening
    return Examined(screening.id, screening.dataset, disputed.block, disputed.row, found)


async def decide(
    settings: Settings,
    picture: Picture,
    register_index: int,
    outcome: DisputeOutcome,
    reason: DisputeReason,
) -> int:
    """Logs a decision about a picture that was examined, and publishes it; see `disputes.decide`.

    Returns:
        The index of the DISPUTE entry.

    Raises:
        InvalidInput, Conflict: as `disputes.decide`; and as `examine`.
    """
    async with founded(settings) as store:
        secret = await _secret(settings, store)
        disputed = await _disputed(store, secret, picture)
        index = await disputes.decide(store, secret, disputed, register_index, outcome, reason)
        await publish_and_shred(settings, store)
    return index


async def _secret(settings: Settings, store: Store) -> bytes:
    return await block_secret(store, FileKeyStore(settings.keyring_dir))


async def _disputed(store: Store, secret: bytes, picture: Picture) -> Disputed:
    fingerprints = await asyncio.to_thread(_fingerprints, picture, IMAGE_SPACES)
    refused = InvalidInput("There is no session of this id, or of a data set of this name.")
    async with store.read() as connection:
        for session in await _sessions(connection, picture.screening):
            own = fingerprints
            if set(session.opt_in_spaces) & set(PERSON_SPACES):
                own = await asyncio.to_thread(_fingerprints, picture, PICTURE_SPACES)
            try:
                return await disputes.find(connection, secret, session, own)
            except InvalidInput as error:
                refused = error
    raise refused


async def _sessions(connection: AsyncConnection, name: str) -> list[screenings.ScreeningRow]:
    try:
        screening_id = bytes.fromhex(name)
    except ValueError:
        screening_id = b""
    if len(screening_id) == SCREENING_ID_BYTES:
        row = await screenings.by_id(connection, screening_id)
        return [] if row is None else [row]
    return await screenings.of_dataset(connection, name, MOST_SESSIONS)


def _fingerprints(picture: Picture, spaces: tuple[str, ...]) -> disputes.Fingerprints:
    found = dict(fingerprint_image(picture.image, spaces).fingerprints)
    if picture.url is not None:
        found["url-1"] = (url_fingerprint(picture.url),)
    return found
