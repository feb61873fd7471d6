"""The one place where errors of the databases become the registry's own.

The texts of the originals are dropped, never quoted: PostgreSQL puts whole rows into the details
of a broken constraint. Only the database's own code for what went wrong is kept.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from registry.errors import (
    SchemaUnknown,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)

# Primary result codes of SQLite, https://www.sqlite.org/rescode.html. Extended codes carry the
# primary one in their lowest byte.
_SQLITE_PRIMARY = 0xFF
_SQLITE: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_CORRUPT: StoreCorrupt,
    sqlite3.SQLITE_NOTADB: StoreCorrupt,
    sqlite3.SQLITE_CONSTRAINT: StoreRefused,
    sqlite3.SQLITE_FULL: StoreUnavailable,
    sqlite3.SQLITE_IOERR: StoreUnavailable,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailable,
    sqlite3.SQLITE_READONLY: StoreUnavailable,
    sqlite3.SQLITE_PERM: StoreUnavailable,
    sqlite3.SQLITE_NOMEM: StoreUnavailable,
}
_SQLITE_NO_SUCH = ("no such table", "no such column", "has no column")

# SQLSTATEs of PostgreSQL, Appendix A of its manual; the whole code first, then its class.
_POSTGRESQL: dict[str, type[StoreError]] = {
    "08": StoreUnavailable,  # connection exception
    "23": StoreRefused,  # integrity constraint violation
    "25006": StoreUnavailable,  # read-only: a standby, or our own read transaction
    "28": StoreUnavailable,  # invalid authorization
    "3D": StoreUnavailable,  # no such database
    "40": StoreBusy,  # serialization failure, deadlock
    "42P01": SchemaUnknown,  # undefined table
    "42703": SchemaUnknown,  # undefined column
    "53": StoreUnavailable,  # disk full, out of memory, too many connections
    "55P03": StoreBusy,  # lock not available within lock_timeout
    "57": StoreUnavailable,  # shut down, crashed, starting up
    "58": StoreUnavailable,  # system and I/O errors
    "XX001": StoreCorrupt,  # data corrupted
    "XX002": StoreCorrupt,  # index corrupted
}

_TEXTS: dict[type[StoreError], str] = {
    StoreBusy: "The database is locked by another writer or has no free connection.",
    StoreUnavailable: "The database can not be reached, opened or written.",
    StoreCorrupt: "The database is damaged.",
    StoreRefused: "The database refused a row that breaks a constraint.",
    SchemaUnknown: "The database has not the tables of this version; migrate it.",
    StoreError: "The database could not do what it was asked.",
}


def unavailable() -> StoreUnavailable:
    """The error for a database that can not even be connected to."""
    return StoreUnavailable(_TEXTS[StoreUnavailable])


def translate(error: SQLAlchemyError) -> StoreError:
    """The registry's error for one of SQLAlchemy; raise it `from None`."""
    kind, code = _kind(error), _code(error)
    return kind(f"{_TEXTS[kind]} ({code})" if code else _TEXTS[kind])


def _code(error: SQLAlchemyError) -> str | None:
    """Such as SQLITE_BUSY or 55P03, or None."""
    original = getattr(error, "orig", None)
    sqlite_name: str | None = getattr(original, "sqlite_errorname", None)
    sqlstate: str | None = getattr(original, "sqlstate", None)
    return sqlite_name or sqlstate


def _kind(error: SQLAlchemyError) -> type[StoreError]:
    if isinstance(error, NoConnectionFree):
        return StoreBusy
    if not isinstance(error, DBAPIError):
        return StoreError
    sqlite_code = getattr(error.orig, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return _sqlite_kind(sqlite_code, str(error.orig))
    by_sqlstate = _postgresql_kind(getattr(error.orig, "sqlstate", None) or "")
    if by_sqlstate is not None:
        return by_sqlstate
    return StoreUnavailable if error.connection_invalidated else StoreError


def _sqlite_kind(code: int, text: str) -> type[StoreError]:
    if code == sqlite3.SQLITE_ERROR and any(part in text for part in _SQLITE_NO_SUCH):
        return SchemaUnknown
    return _SQLITE.get(code & _SQLITE_PRIMARY, StoreError)


def _postgresql_kind(sqlstate: str) -> type[StoreError] | None:
    return _POSTGRESQL.get(sqlstate) or _POSTGRESQL.get(sqlstate[:2])
