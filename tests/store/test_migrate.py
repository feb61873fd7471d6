import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from registry.errors import SchemaUnknown, StoreCorrupt, StoreError, StoreUnavailable
from registry.store import entries, log_state, migrate
from registry.store.engine import migrating, open_store
from registry.store.tables import METADATA
from tests.store.rows import found, register

ROOT = Path(__file__).parents[2]
HEAD = ScriptDirectory(str(ROOT / "alembic")).get_current_head()

NEXT = '''
"""A second migration, for tests."""

import sqlalchemy as sa

from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("novelty", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("UPDATE log_state SET origin = 'changed'")
    {step}


def downgrade() -> None:
    op.drop_table("novelty")
'''

REBUILD = """
    with op.batch_alter_table("entry", recreate="auto") as batch:
        batch.add_column(sa.Column("note", sa.Text()))
        batch.drop_constraint(op.f("ck_entry_type"), type_="check")
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, to add to; its path has what a configuration file would mangle."""
    folder = tmp_path / "50% of migrations"
    shutil.copytree(ROOT / "alembic", folder)
    monkeypatch.setattr(migrate, "scripts", lambda: folder)
    return folder


def add(scripts: Path, step: str) -> None:
    (scripts / "versions" / "9999_next.py").write_text(NEXT.format(step=step, head=HEAD))


async def tables(url: str) -> set[str]:
    async with migrating(url) as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names()))


async def origin(url: str) -> str | None:
    store = open_store(url)
    async with store.read() as connection:
        name = await log_state.origin(connection)
    await store.dispose()
    return name


async def fill(url: str, count: int = 3) -> None:
    store = open_store(url)
    async with store.write() as connection:
        await found(connection)
        await register(connection, count)
    await store.dispose()


async def test_a_bare_database_is_brought_up_and_back_down(bare_url: str) -> None:
    assert await migrate.current_revision(bare_url) is None
    await migrate.upgrade(bare_url)
    assert await migrate.current_revision(bare_url) == HEAD
    assert await tables(bare_url) == {*METADATA.tables, "alembic_version"}
    await migrate.downgrade(bare_url, "base")
    assert await migrate.current_revision(bare_url) is None
    assert await tables(bare_url) == {"alembic_version"}
    await migrate.upgrade(bare_url)
    assert await tables(bare_url) == {*METADATA.tables, "alembic_version"}


async def test_upgrading_again_changes_nothing(store_url: str) -> None:
    await fill(store_url)
    await migrate.upgrade(store_url)
    store = open_store(store_url)
    async with store.read() as connection:
        assert await entries.log_size(connection) == 3
    await store.dispose()


async def test_migrations_and_tables_agree(store_url: str) -> None:
    await migrate.check(store_url)


async def test_a_table_nobody_declared_is_noticed(store_url: str) -> None:
    async with migrating(store_url) as connection:
        await connection.execute(text("CREATE TABLE stray (id INTEGER)"))
    with pytest.raises(SchemaUnknown, match="stray"):
        await migrate.check(store_url)


def constraints(connection: Connection) -> dict[str, object]:
    """Everything about the tables that alembic's own comparison does not look at."""
    look = inspect(connection)

    def normal(expression: str) -> str:
        return re.sub(r"[\s()\"]|::\w+", "", expression).lower()

    return {
        name: {
            "checks": sorted(
                (check["name"], normal(check["sqltext"]))
                for check in look.get_check_constraints(name)
            ),
            "primary": look.get_pk_constraint(name),
            "foreign": sorted(str(key) for key in look.get_foreign_keys(name)),
            "unique": sorted(str(key["name"]) for key in look.get_unique_constraints(name)),
            "indexes": sorted(str(index["name"]) for index in look.get_indexes(name)),
        }
        for name in METADATA.tables
    }


async def test_migrated_constraints_are_those_declared(store_url: str) -> None:
    async with migrating(store_url) as connection:
        migrated = await connection.run_sync(constraints)
    await migrate.downgrade(store_url, "base")
    async with migrating(store_url) as connection:
        await connection.run_sync(METADATA.create_all)
        assert await connection.run_sync(constraints) == migrated


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("raise ValueError('halfway')", ValueError),
        ('op.execute("INSERT INTO nothing VALUES (1)")', StoreError),
    ],
)
async def test_a_migration_that_fails_leaves_nothing(
    store_url: str, scripts: Path, step: str, error: type[Exception]
) -> None:
    await fill(store_url)
    add(scripts, step)
    with pytest.raises(error):
        await migrate.upgrade(store_url)
    assert await migrate.current_revision(store_url) == HEAD
    assert "novelty" not in await tables(store_url)
    assert await origin(store_url) != "changed"
    add(scripts, "pass")  # mended
    await migrate.upgrade(store_url)
    assert await migrate.current_revision(store_url) == "9999"
    assert await origin(store_url) == "changed"


async def test_a_table_that_others_refer_to_can_be_rebuilt(store_url: str, scripts: Path) -> None:
    await fill(store_url)
    add(scripts, REBUILD.strip())
    await migrate.upgrade(store_url)
    async with migrating(store_url) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM entry WHERE note IS NULL")) == 3
        assert await connection.scalar(text("SELECT count(*) FROM data_key")) == 3


async def test_a_migration_that_breaks_references_is_undone(sqlite_url: str, scripts: Path) -> None:
    await fill(sqlite_url)
    add(scripts, 'op.execute("DELETE FROM entry")')
    with pytest.raises(StoreCorrupt, match="record"):
        await migrate.upgrade(sqlite_url)
    assert await migrate.current_revision(sqlite_url) == HEAD
    store = open_store(sqlite_url)
    async with store.read() as connection:
        assert await entries.log_size(connection) == 3
    await store.dispose()


async def test_a_newer_database_is_left_alone(store_url: str, scripts: Path) -> None:
    add(scripts, "pass")
    await migrate.upgrade(store_url)
    (scripts / "versions" / "9999_next.py").unlink()
    with pytest.raises(SchemaUnknown, match="9999"):
        await migrate.upgrade(store_url)
    assert await migrate.current_revision(store_url) == "9999"


async def test_two_processes_that_start_at_once_both_find_tables(bare_url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from registry.store import migrate\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "asyncio.run(migrate.upgrade(sys.argv[1]))\n"
    )
    processes = [
        subprocess.Popen(  # noqa: ASYNC220 (the test has nothing else to do)
            [sys.executable, "-c", program, bare_url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [await asyncio.to_thread(process.communicate, timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert await migrate.current_revision(bare_url) == HEAD
    assert await tables(bare_url) == {*METADATA.tables, "alembic_version"}


async def test_a_database_that_can_not_be_reached_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'registry.db'}")
    with pytest.raises(StoreUnavailable):
        await migrate.upgrade(f"postgresql+asyncpg://nobody@/nothing?host={tmp_path}")


def run(*arguments: str, url: str | None) -> subprocess.CompletedProcess[str]:
    environment = {} if url is None else {migrate.DATABASE_URL: url}
    return subprocess.run(
        [sys.executable, "-m", "registry.store.migrate", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_upgrades_and_tells(tmp_path: Path) -> None:
    bare_url = f"sqlite+aiosqlite:///{tmp_path / 'bare.db'}"
    assert run("current", url=bare_url).stdout == "There are no tables yet.\n"
    assert run("upgrade", url=bare_url).returncode == 0
    assert run("current", url=bare_url).stdout == f"{HEAD}\n"
    assert run("upgrade", url=None).returncode == 2


async def test_the_command_checks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scripts: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["migrate", "check"])
    assert await asyncio.to_thread(migrate.main) == 0
    add(scripts, "pass")  # makes a table that is not declared
    assert await asyncio.to_thread(migrate.main) == 1
    assert "novelty" in capsys.readouterr().err


def test_alembic_itself_works_in_a_checkout(sqlite_url: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("alembic"), "check"],
        cwd=ROOT,
        env={migrate.DATABASE_URL: sqlite_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_sql_can_be_written_instead_of_executed(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("alembic"), "upgrade", "head", "--sql"],
        cwd=ROOT,
        env={migrate.DATABASE_URL: f"sqlite+aiosqlite:///{tmp_path / 'unused.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    database = sqlite3.connect(":memory:")
    database.executescript(done.stdout)
    made = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert set(METADATA.tables) < made


def test_an_installed_package_carries_its_migrations(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "registry.store.migrate", "check"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (installed / "registry" / "_alembic" / "versions").is_dir()
