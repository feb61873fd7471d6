"""A registry while it runs: everything a request needs, opened and closed in one place."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from consent_client.protocol.notes import NoteSigner
from registry.errors import CorruptRegistry, RegistryError
from registry.logs import note_unhandled
from registry.matching.packaged_bank import packaged_bank
from registry.matching.registry_index import MatchingIndex
from registry.matching.specificity import Bank
from registry.matching.threads import one_faiss_thread
from registry.metrics import Metrics
from registry.services.admission import AddressLimit, BuilderQuota
from registry.services.challenges import Challenges
from registry.services.clock import Clock
from registry.services.days import Calendar
from registry.services.following import Follower
from registry.services.founding import found
from registry.services.observing import Observer
from registry.services.proofs import Watchers
from registry.services.publishing import Publisher, open_publisher
from registry.services.rotation import forget_gone
from registry.services.sealing import Sealing
from registry.services.sequencing import Sequencer
from registry.services.shredding import Shredder
from registry.services.snapshots import Schedule, open_snapshots
from registry.settings import Settings
from registry.store.engine import Store, open_store
from registry.store.migrate import upgrade
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring

log = structlog.get_logger(__name__)

# How often the calendar and the sealing keys are looked at.
CHORE_SECONDS = 5.0

SECONDS_PER_HOUR = 3_600

PROCESS_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts of a running registry; requests are functions over it."""

    settings: Settings
    clock: Clock
    store: Store
    keyring: Keyring
    signer: NoteSigner
    sealing: Sealing
    challenges: Challenges
    follower: Follower
    sequencer: Sequencer
    publisher: Publisher
    watchers: Watchers
    registration_limit: AddressLimit
    withdrawal_limit: AddressLimit
    challenge_limit: AddressLimit
    entries_limit: AddressLimit
    builder_quota: BuilderQuota
    observer: Observer
    metrics: Metrics
    matching_threads: ThreadPoolExecutor
    bank: Bank
    block_secret: bytes = field(repr=False)

    @property
    def ready(self) -> bool:
        """Whether screenings are answered."""
        return self.follower.ready and self.publisher.sound


@contextlib.asynccontextmanager
async def running(
    settings: Settings, clock: Clock, bank: Bank | None = None
) -> AsyncIterator[Registry]:
    """Opens a registry, founds it at its first start, and follows its log until the end.

    Args:
        settings: what the operator set.
        clock: what time it is.
        bank: what records are measured against; None: the one that comes with the registry.

    The log is replayed in the background: requests before that hear `NotReady`.

    Raises:
        ConfigurationError: another origin than this database's.
        CorruptRegistry: the database is older than what this registry has published.
        StoreError, VaultError: the database or the key store can not be used.
    """
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    bank = packaged_bank() if bank is None else bank
    asyncio.get_running_loop().set_exception_handler(note_unhandled)
    await upgrade(settings.database_url)
    key_store = FileKeyStore(settings.keyring_dir)
    keyring = Keyring(key_store)
    store = open_store(settings.database_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.dispose)
        kept = await found(store, key_store, keyring, clock, settings.origin)
        signer = NoteSigner(settings.origin, kept.note_signing)
        publisher = open_publisher(settings, store, signer)
        await publisher.check_not_older()
        sealing = Sealing(
            store, key_store, settings.origin, signer, clock, settings.sealing_key_days
        )
        await sealing.refresh()
        follower = Follower(
            store,
            keyring,
            MatchingIndex(bank=bank),
            clock,
            secrets.token_hex(PROCESS_ID_BYTES),
            settings.follow_seconds,
        )
        shredder = Shredder(store, lambda: publisher.size)
        publisher.on_published(shredder.wake)
        sequencer = Sequencer(
            store, keyring, follower, publisher, settings.queue_size, settings.batch_seconds
        )
        quota, metrics = BuilderQuota(settings.builder_items_per_day), Metrics()
        threads = stack.enter_context(
            ThreadPoolExecutor(
                settings.matching_threads or os.cpu_count(),
                thread_name_prefix="matching",
                initializer=one_faiss_thread,
            )
        )
        registry = Registry(
            settings=settings,
            clock=clock,
            store=store,
            keyring=keyring,
            signer=signer,
            sealing=sealing,
            challenges=Challenges(kept.challenges, settings.proof_of_work_digits, clock),
            follower=follower,
            sequencer=sequencer,
            publisher=publisher,
            watchers=Watchers(),
            registration_limit=AddressLimit(settings.registration_limit),
            withdrawal_limit=AddressLimit(settings.withdrawal_limit),
            challenge_limit=AddressLimit(settings.challenge_limit),
            entries_limit=AddressLimit(settings.entries_limit),
            builder_quota=quota,
            observer=Observer(
                store, follower, publisher, sequencer, quota, metrics, clock, settings.max_records
            ),
            metrics=metrics,
            matching_threads=threads,
            bank=bank,
            block_secret=kept.block_digests,
        )
        schedule = Schedule(
            open_snapshots(settings, store, publisher, signer, clock),
            clock,
            settings.publish_hours * SECONDS_PER_HOUR,
        )
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("following", follower.run()),
                ("sequencing", sequencer.run()),
                ("publishing", publisher.run()),
                ("shredding", shredder.run()),
                ("observing", registry.observer.run()),
                ("chores", _chores(registry)),
                ("snapshots", schedule.run()),
            )
        ]
        stack.push_async_callback(_stop, tasks, follower)
        yield registry


async def _stop(tasks: list[asyncio.Task[None]], follower: Follower) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(RegistryError):
        await follower.leave()


async def _chores(registry: Registry) -> None:
    calendar = Calendar(registry.store, registry.follower, registry.clock)
    while True:
        await _chore("calendar", calendar.keep)
        await _chore("sealing keys", registry.sealing.refresh)
        await _chore("compaction", registry.follower.compact)
        await _chore("gone processes", lambda: forget_gone(registry.store, registry.clock))
        await asyncio.sleep(CHORE_SECONDS)


async def _chore(name: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except CorruptRegistry:
        pass  # the follower has said so, and the registry is not ready
    except RegistryError as error:
        log.warning("a chore was postponed", chore=name, code=error.code)
    except Exception:  # one chore that fails must not end all the others
        log.exception("a chore failed", chore=name)
