"""The tables.

Their classes are declarations: repositories select columns, never objects, since most columns are
bytes that are read by the hundred thousand. Constraints repeat what the code guarantees, as a
second line of defence.

`entry` is the log. `record`, `data_key` and `terminal` hang on it by the index of the REGISTER
entry; a record is active as long as it has no row in `terminal`. Ciphertext and data key are in
two tables because they leave at different times and are read by different jobs. A record that a
disaster took, of which only the entry is left, has a row in `terminal` and none in `record`.
"""

from enum import IntEnum
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlmodel import Field, SQLModel


class RecordStatus(IntEnum):
    """What became of a record; a row in `terminal` holds one of the last three."""

    ACTIVE = 1
    WITHDRAWN = 2
    ERASED = 3
    EXPIRED = 4


# Lengths in bytes, from FORMATS §2 to §4. A stored record is version, nonce, 8,192 bytes padded
# plaintext and tag; a wrapped data key is version, epoch, nonce, key and tag.
_ENTRY_LIMIT = 2**16 - 1  # of a C2SP entry bundle
_RECORD_ID = 16
_HASH = 32
_CIPHERTEXT = 1 + 12 + 8192 + 16
_WRAPPED_DATA_KEY = 1 + 4 + 12 + 32 + 16
_SEALING_KEY_ID = 8
_SCREENING_ID = 16
_CANDIDATE = 16
_ROW_DIGEST = 16
_BLOCK_LIMIT = 10_000

# On SQLite only INTEGER makes a primary key the row's own number.
_Index = BigInteger().with_variant(Integer(), "sqlite")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class _StoreModel(SQLModel):
    metadata: ClassVar[MetaData] = METADATA


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


def _length(column: str, length: int) -> CheckConstraint:
    return _check(column, f"length({column}) = {length}")


class Entry(_StoreModel, table=True):
    """One entry of the log; indices are dense from 0."""

    __tablename__ = "entry"
    __table_args__ = (
        _check("index", '"index" >= 0'),
        _check("type", "type BETWEEN 1 AND 255"),
        _check("data", f"length(data) BETWEEN 4 AND {_ENTRY_LIMIT}"),
        # Few entries, which are looked for whenever somebody reads a record of theirs.
        Index(
            "ix_entry_dispute",
            "index",
            sqlite_where=text("type = 9"),
            postgresql_where=text("type = 9"),
        ),
    )

    index: int = Field(sa_column=Column(_Index, primary_key=True, autoincrement=False))
    type: int = Field(sa_column=Column(SmallInteger, nullable=False))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Record(_StoreModel, table=True):
    """A registered record; its ciphertext is NULL once it is shredded."""

    __tablename__ = "record"
    __table_args__ = (
        _length("record_id", _RECORD_ID),
        _length("owner_public_key", _HASH),
        _length("commitment", _HASH),
        _length("ciphertext", _CIPHERTEXT),
    )

    register_index: int = Field(
        sa_column=Column(_Index, ForeignKey("entry.index"), primary_key=True, autoincrement=False)
    )
    record_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    owner_public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    commitment: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    ciphertext: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))


class DataKey(_StoreModel, table=True):
    """The key a record's ciphertext is under, wrapped under an epoch's key."""

    __tablename__ = "data_key"
    __table_args__ = (_check("epoch", "epoch > 0"), _length("wrapped", _WRAPPED_DATA_KEY))

    register_index: int = Field(
        sa_column=Column(
            _Index, ForeignKey("record.register_index"), primary_key=True, autoincrement=False
        )
    )
    epoch: int = Field(
        sa_column=Column(Integer, ForeignKey("epoch.epoch"), nullable=False, index=True)
    )
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Terminal(_StoreModel, table=True):
    """How and where a record ended; the primary key lets only the first in."""

    __tablename__ = "terminal"
    __table_args__ = (
        _check("status", "status IN (2, 3, 4)"),
        _check("order", "entry_index > register_index"),
        Index(
            "ix_terminal_unshredded",
            "register_index",
            sqlite_where=text("NOT shredded"),
            postgresql_where=text("NOT shredded"),
        ),
    )

    register_index: int = Field(
        sa_column=Column(_Index, ForeignKey("entry.index"), primary_key=True, autoincrement=False)
    )
    entry_index: int = Field(
        sa_column=Column(BigInteger, ForeignKey("entry.index"), nullable=False)
    )
    status: int = Field(sa_column=Column(SmallInteger, nullable=False))
    shredded: bool = Field(sa_column=Column(Boolean, nullable=False))


class LogState(_StoreModel, table=True):
    """One row: whose log this is, and below which size nobody may answer any more."""

    __tablename__ = "log_state"
    __table_args__ = (_check("id", "id = 1"), _check("shred_watermark", "shred_watermark >= 0"))

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    origin: str = Field(sa_column=Column(Text, nullable=False))
    shred_watermark: int = Field(sa_column=Column(BigInteger, nullable=False))


class Epoch(_StoreModel, table=True):
    """A key epoch; its wrapped key is NULL once it is destroyed."""

    __tablename__ = "epoch"
    __table_args__ = (
        _check("epoch", "epoch > 0"),
        _check("wrapped", "length(wrapped) > 0"),
        _check("destroyed", "(wrapped IS NULL) = (destroyed_day IS NOT NULL)"),
    )

    epoch: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    key_name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    wrapped: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    created_day: int = Field(sa_column=Column(Integer, nullable=False))
    destroyed_day: int | None = Field(sa_column=Column(Integer, nullable=True))


class SealingKey(_StoreModel, table=True):
    """A key registrants seal to; its private half is NULL once it is destroyed."""

    __tablename__ = "sealing_key"
    __table_args__ = (
        _length("key_id", _SEALING_KEY_ID),
        _check("suite", "suite BETWEEN 1 AND 255"),
        _check("days", "issue_day <= expiry_day"),
        _check("wrapped_private", "length(wrapped_private) > 0"),
    )

    key_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    suite: int = Field(sa_column=Column(SmallInteger, nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    key_name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    wrapped_private: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    issue_day: int = Field(sa_column=Column(Integer, nullable=False))
    expiry_day: int = Field(sa_column=Column(Integer, nullable=False))


class Secret(_StoreModel, table=True):
    """A secret all processes share, wrapped by the key store."""

    __tablename__ = "secret"
    __table_args__ = (_check("wrapped", "length(wrapped) > 0"),)

    name: str = Field(sa_column=Column(String(64), primary_key=True))
    key_name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Process(_StoreModel, table=True):
    """A process that serves: the newest key epoch it has loaded, and when it was last heard of."""

    __tablename__ = "process"
    __table_args__ = (_check("epoch", "epoch >= 0"), _check("log_size", "log_size >= 0"))

    process_id: str = Field(sa_column=Column(String(64), primary_key=True))
    epoch: int = Field(sa_column=Column(Integer, nullable=False))
    log_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    heartbeat: float = Field(sa_column=Column(Float(53), nullable=False))


class Builder(_StoreModel, table=True):
    """An organisation that screens; of its token only a hash is kept."""

    __tablename__ = "builder"
    __table_args__ = (_length("token_hash", _HASH), _check("daily_items", "daily_items >= 0"))

    id: int | None = Field(sa_column=Column(Integer, primary_key=True))
    name: str = Field(sa_column=Column(String(200), nullable=False, unique=True))
    token_id: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_day: int = Field(sa_column=Column(Integer, nullable=False))
    revoked_day: int | None = Field(sa_column=Column(Integer, nullable=True))
    daily_items: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class Screening(_StoreModel, table=True):
    """A builder's session; `answered` counts the images of its blocks."""

    __tablename__ = "screening"
    __table_args__ = (
        _length("id", _SCREENING_ID),
        _check("use", "use BETWEEN 0 AND 255"),
        _check("answered", "answered BETWEEN 0 AND candidate_count"),
        _check("root", f"root IS NULL OR length(root) = {_HASH}"),
    )

    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    builder_id: int = Field(
        sa_column=Column(Integer, ForeignKey("builder.id"), nullable=False, index=True)
    )
    dataset: str = Field(sa_column=Column(Text, nullable=False))
    use: int = Field(sa_column=Column(SmallInteger, nullable=False))
    required_spaces: str = Field(sa_column=Column(Text, nullable=False))
    candidate_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    answered: int = Field(sa_column=Column(BigInteger, nullable=False))
    opened_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    closed_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    opt_in_spaces: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")))
    terms: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")))
    root: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))


class ScreeningBlock(_StoreModel, table=True):
    """The answer to one block: verdicts, and a digest of what was asked, never what was asked."""

    __tablename__ = "screening_block"
    __table_args__ = (
        _check("number", "number >= 0"),
        _length("digest", _HASH),
        _check("count", f"count BETWEEN 1 AND {_BLOCK_LIMIT}"),
        _check("log_size", "log_size >= 0"),
        _check("verdicts", "length(verdicts) = count"),
    )

    screening_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("screening.id"), primary_key=True)
    )
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    count: int = Field(sa_column=Column(Integer, nullable=False))
    present: str = Field(sa_column=Column(Text, nullable=False))
    log_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    verdicts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CommittedSession(_StoreModel, table=True):
    """What a committed screening is in the log; of its certificate a digest."""

    __tablename__ = "committed_session"
    __table_args__ = (_length("builder_key", _HASH),)

    screening_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("screening.id"), primary_key=True)
    )
    builder_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    session_index: int = Field(
        sa_column=Column(BigInteger, ForeignKey("entry.index"), nullable=False, unique=True)
    )
    close_index: int | None = Field(
        sa_column=Column(BigInteger, ForeignKey("entry.index"), nullable=True)
    )
    results_root: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    certify_index: int | None = Field(
        sa_column=Column(BigInteger, ForeignKey("entry.index"), nullable=True)
    )
    certify_digest: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))


class CommittedBlock(_StoreModel, table=True):
    """The root over the results of a block of a committed screening."""

    __tablename__ = "committed_block"
    __table_args__ = (
        ForeignKeyConstraint(
            ["screening_id", "number"],
            ["screening_block.screening_id", "screening_block.number"],
        ),
        _length("results", _HASH),
    )

    screening_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    results: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Excluded(_StoreModel, table=True):
    """Keyed digests of a block's excluded rows, so that a contest can only be about these."""

    __tablename__ = "excluded"
    __table_args__ = (
        ForeignKeyConstraint(
            ["screening_id", "block_number"],
            ["screening_block.screening_id", "screening_block.number"],
        ),
        _check("digests", f"length(digests) % {_ROW_DIGEST} = 0"),
    )

    screening_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    block_number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    digests: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Contest(_StoreModel, table=True):
    """The answer to a contest: which rows of a block, and their verdicts, never what was sent."""

    __tablename__ = "contest"
    __table_args__ = (
        ForeignKeyConstraint(
            ["screening_id", "block_number"],
            ["screening_block.screening_id", "screening_block.number"],
        ),
        _length("digest", _HASH),
        _check("log_size", "log_size >= 0"),
    )

    screening_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    block_number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    rows: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    verdicts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_size: int = Field(sa_column=Column(BigInteger, nullable=False))


class Rate(IntEnum):
    """What a candidate is counted as."""

    FREE = 0
    """It matches, in a session without a commitment, or it is a face."""
    COMMITTED = 1
    """It matches, in a committed session of works."""
    BORDER = 2
    """It lies near the border of a match, on either side; not in a committed session of works."""


class Positive(_StoreModel, table=True):
    """A candidate that told something of a record, counted against the builder's budget for it."""

    __tablename__ = "positive"
    __table_args__ = (_length("candidate", _CANDIDATE), _check("rate", "rate BETWEEN 0 AND 2"))

    builder_id: int = Field(sa_column=Column(Integer, ForeignKey("builder.id"), primary_key=True))
    register_index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    rate: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    candidate: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))


class Exclusion(_StoreModel, table=True):
    """How many images of a session a record excluded; told to its owner, in the end."""

    __tablename__ = "exclusion"
    __table_args__ = (_check("images", "images >= 0"),)

    register_index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    screening_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("screening.id"), primary_key=True)
    )
    images: int = Field(sa_column=Column(BigInteger, nullable=False))
    day: int = Field(sa_column=Column(Integer, nullable=False))


class Hold(_StoreModel, table=True):
    """A builder whose blocks wait for the operator, and what became of it."""

    __tablename__ = "hold"
    __table_args__ = (
        _check("allowance", "allowance >= 0"),
        _check("rate", "rate BETWEEN 0 AND 2"),
    )

    id: int | None = Field(sa_column=Column(Integer, primary_key=True))
    builder_id: int = Field(
        sa_column=Column(Integer, ForeignKey("builder.id"), nullable=False, index=True)
    )
    register_index: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    rate: int = Field(sa_column=Column(SmallInteger, nullable=False))
    held_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    released_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    allowance: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class Calibration(_StoreModel, table=True):
    """What matching the registry against a random sample of a data set showed; published."""

    __tablename__ = "calibration"
    __table_args__ = (_check("log_size", "log_size >= 0"),)

    id: int | None = Field(sa_column=Column(Integer, primary_key=True))
    day: int = Field(sa_column=Column(Integer, nullable=False))
    log_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    result: str = Field(sa_column=Column(Text, nullable=False))


ENTRY: Table = METADATA.tables["entry"]
RECORD: Table = METADATA.tables["record"]
DATA_KEY: Table = METADATA.tables["data_key"]
TERMINAL: Table = METADATA.tables["terminal"]
LOG_STATE: Table = METADATA.tables["log_state"]
EPOCH: Table = METADATA.tables["epoch"]
SEALING_KEY: Table = METADATA.tables["sealing_key"]
SECRET: Table = METADATA.tables["secret"]
PROCESS: Table = METADATA.tables["process"]
BUILDER: Table = METADATA.tables["builder"]
SCREENING: Table = METADATA.tables["screening"]
SCREENING_BLOCK: Table = METADATA.tables["screening_block"]
COMMITTED_SESSION: Table = METADATA.tables["committed_session"]
COMMITTED_BLOCK: Table = METADATA.tables["committed_block"]
EXCLUDED: Table = METADATA.tables["excluded"]
CONTEST: Table = METADATA.tables["contest"]
POSITIVE: Table = METADATA.tables["positive"]
EXCLUSION: Table = METADATA.tables["exclusion"]
HOLD: Table = METADATA.tables["hold"]
CALIBRATION: Table = METADATA.tables["calibration"]
