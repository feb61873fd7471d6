"""The first tables.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# On SQLite only INTEGER makes a primary key the row's own number.
INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "builder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_day", sa.Integer(), nullable=False),
        sa.Column("revoked_day", sa.Integer(), nullable=True),
        sa.Column("daily_items", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("daily_items >= 0", name=op.f("ck_builder_daily_items")),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_builder_token_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_builder")),
        sa.UniqueConstraint("name", name=op.f("uq_builder_name")),
        sa.UniqueConstraint("token_id", name=op.f("uq_builder_token_id")),
    )
    op.create_table(
        "entry",
        sa.Column("index", INDEX, autoincrement=False, nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint('"index" >= 0', name=op.f("ck_entry_index")),
        sa.CheckConstraint("length(data) BETWEEN 4 AND 65535", name=op.f("ck_entry_data")),
        sa.CheckConstraint("type BETWEEN 1 AND 255", name=op.f("ck_entry_type")),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_entry")),
    )
    op.create_table(
        "epoch",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_day", sa.Integer(), nullable=False),
        sa.Column("destroyed_day", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(wrapped IS NULL) = (destroyed_day IS NOT NULL)", name=op.f("ck_epoch_destroyed")
        ),
        sa.CheckConstraint("epoch > 0", name=op.f("ck_epoch_epoch")),
        sa.CheckConstraint("length(wrapped) > 0", name=op.f("ck_epoch_wrapped")),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_epoch")),
        sa.UniqueConstraint("key_name", name=op.f("uq_epoch_key_name")),
    )
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("shred_watermark", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_state_id")),
        sa.CheckConstraint("shred_watermark >= 0", name=op.f("ck_log_state_shred_watermark")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
    )
    op.create_table(
        "process",
        sa.Column("process_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat", sa.Float(precision=53), nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_process_epoch")),
        sa.CheckConstraint("log_size >= 0", name=op.f("ck_process_log_size")),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_process")),
    )
    op.create_table(
        "sealing_key",
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("suite", sa.SmallInteger(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("wrapped_private", sa.LargeBinary(), nullable=True),
        sa.Column("issue_day", sa.Integer(), nullable=False),
        sa.Column("expiry_day", sa.Integer(), nullable=False),
        sa.CheckConstraint("issue_day <= expiry_day", name=op.f("ck_sealing_key_days")),
        sa.CheckConstraint("length(key_id) = 8", name=op.f("ck_sealing_key_key_id")),
        sa.CheckConstraint(
            "length(wrapped_private) > 0", name=op.f("ck_sealing_key_wrapped_private")
        ),
        sa.CheckConstraint("suite BETWEEN 1 AND 255", name=op.f("ck_sealing_key_suite")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_sealing_key")),
        sa.UniqueConstraint("key_name", name=op.f("uq_sealing_key_key_name")),
    )
    op.create_table(
        "secret",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(wrapped) > 0", name=op.f("ck_secret_wrapped")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
        sa.UniqueConstraint("key_name", name=op.f("uq_secret_key_name")),
    )
    op.create_table(
        "record",
        sa.Column("register_index", INDEX, autoincrement=False, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("owner_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("length(ciphertext) = 8221", name=op.f("ck_record_ciphertext")),
        sa.CheckConstraint("length(commitment) = 32", name=op.f("ck_record_commitment")),
        sa.CheckConstraint(
            "length(owner_public_key) = 32", name=op.f("ck_record_owner_public_key")
        ),
        sa.CheckConstraint("length(record_id) = 16", name=op.f("ck_record_record_id")),
        sa.ForeignKeyConstraint(
            ["register_index"], ["entry.index"], name=op.f("fk_record_register_index")
        ),
        sa.PrimaryKeyConstraint("register_index", name=op.f("pk_record")),
        sa.UniqueConstraint("record_id", name=op.f("uq_record_record_id")),
    )
    op.create_table(
        "screening",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("builder_id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("use", sa.SmallInteger(), nullable=False),
        sa.Column("required_spaces", sa.Text(), nullable=False),
        sa.Column("candidate_count", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "answered BETWEEN 0 AND candidate_count", name=op.f("ck_screening_answered")
        ),
        sa.CheckConstraint("length(id) = 16", name=op.f("ck_screening_id")),
        sa.CheckConstraint("use BETWEEN 0 AND 255", name=op.f("ck_screening_use")),
        sa.ForeignKeyConstraint(
            ["builder_id"], ["builder.id"], name=op.f("fk_screening_builder_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening")),
    )
    op.create_index(op.f("ix_screening_builder_id"), "screening", ["builder_id"])
    op.create_table(
        "data_key",
        sa.Column("register_index", INDEX, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("epoch > 0", name=op.f("ck_data_key_epoch")),
        sa.CheckConstraint("length(wrapped) = 65", name=op.f("ck_data_key_wrapped")),
        sa.ForeignKeyConstraint(["epoch"], ["epoch.epoch"], name=op.f("fk_data_key_epoch")),
        sa.ForeignKeyConstraint(
            ["register_index"], ["record.register_index"], name=op.f("fk_data_key_register_index")
        ),
        sa.PrimaryKeyConstraint("register_index", name=op.f("pk_data_key")),
    )
    op.create_index(op.f("ix_data_key_epoch"), "data_key", ["epoch"])
    op.create_table(
        "screening_block",
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("present", sa.Text(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("verdicts", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("count BETWEEN 1 AND 10000", name=op.f("ck_screening_block_count")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_screening_block_digest")),
        sa.CheckConstraint("length(verdicts) = count", name=op.f("ck_screening_block_verdicts")),
        sa.CheckConstraint("log_size >= 0", name=op.f("ck_screening_block_log_size")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_screening_block_number")),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screening.id"], name=op.f("fk_screening_block_screening_id")
        ),
        sa.PrimaryKeyConstraint("screening_id", "number", name=op.f("pk_screening_block")),
    )
    op.create_table(
        "terminal",
        sa.Column("register_index", INDEX, autoincrement=False, nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("shredded", sa.Boolean(), nullable=False),
        sa.CheckConstraint("entry_index > register_index", name=op.f("ck_terminal_order")),
        sa.CheckConstraint("status IN (2, 3, 4)", name=op.f("ck_terminal_status")),
        sa.ForeignKeyConstraint(
            ["entry_index"], ["entry.index"], name=op.f("fk_terminal_entry_index")
        ),
        sa.ForeignKeyConstraint(
            ["register_index"], ["record.register_index"], name=op.f("fk_terminal_register_index")
        ),
        sa.PrimaryKeyConstraint("register_index", name=op.f("pk_terminal")),
    )
    op.create_index(
        "ix_terminal_unshredded",
        "terminal",
        ["register_index"],
        sqlite_where=sa.text("NOT shredded"),
        postgresql_where=sa.text("NOT shredded"),
    )
    if op.get_context().dialect.name == "postgresql":
        # Ciphertext does not compress; EXTERNAL spares the attempt.
        op.execute("ALTER TABLE record ALTER COLUMN ciphertext SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("terminal")
    op.drop_table("screening_block")
    op.drop_table("data_key")
    op.drop_table("screening")
    op.drop_table("record")
    op.drop_table("secret")
    op.drop_table("sealing_key")
    op.drop_table("process")
    op.drop_table("log_state")
    op.drop_table("epoch")
    op.drop_table("entry")
    op.drop_table("builder")
