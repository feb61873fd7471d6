"""Terms of sessions, contests, budgets of positives, calibrations.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("opt_in_spaces", "terms"):
        op.add_column(
            "screening", sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)
        )
    # With its constraint in one statement: SQLite can not add one to a table that exists.
    kind = "BYTEA" if op.get_context().dialect.name == "postgresql" else "BLOB"
    op.execute(
        f"ALTER TABLE screening ADD COLUMN root {kind} "
        "CONSTRAINT ck_screening_root CHECK (root IS NULL OR length(root) = 32)"
    )
    op.create_table(
        "excluded",
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(digests) % 16 = 0", name=op.f("ck_excluded_digests")),
        sa.ForeignKeyConstraint(
            ["screening_id", "block_number"],
            ["screening_block.screening_id", "screening_block.number"],
            name=op.f("fk_excluded_screening_id_block_number"),
        ),
        sa.PrimaryKeyConstraint("screening_id", "block_number", name=op.f("pk_excluded")),
    )
    op.create_table(
        "contest",
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("verdicts", sa.LargeBinary(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_contest_digest")),
        sa.CheckConstraint("log_size >= 0", name=op.f("ck_contest_log_size")),
        sa.ForeignKeyConstraint(
            ["screening_id", "block_number"],
            ["screening_block.screening_id", "screening_block.number"],
            name=op.f("fk_contest_screening_id_block_number"),
        ),
        sa.PrimaryKeyConstraint("screening_id", "block_number", "digest", name=op.f("pk_contest")),
    )
    op.create_table(
        "positive",
        sa.Column("builder_id", sa.Integer(), nullable=False),
        sa.Column("register_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rate", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("candidate", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("rate BETWEEN 0 AND 2", name=op.f("ck_positive_rate")),
        sa.CheckConstraint("length(candidate) = 16", name=op.f("ck_positive_candidate")),
        sa.ForeignKeyConstraint(
            ["builder_id"], ["builder.id"], name=op.f("fk_positive_builder_id")
        ),
        sa.PrimaryKeyConstraint(
            "builder_id", "register_index", "rate", "candidate", name=op.f("pk_positive")
        ),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("builder_id", sa.Integer(), nullable=False),
        sa.Column("register_index", sa.BigInteger(), nullable=True),
        sa.Column("rate", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("rate BETWEEN 0 AND 2", name=op.f("ck_hold_rate")),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("allowance", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("allowance >= 0", name=op.f("ck_hold_allowance")),
        sa.ForeignKeyConstraint(["builder_id"], ["builder.id"], name=op.f("fk_hold_builder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_builder_id"), "hold", ["builder_id"])
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.CheckConstraint("log_size >= 0", name=op.f("ck_calibration_log_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )


def downgrade() -> None:
    op.drop_table("calibration")
    op.drop_table("hold")
    op.drop_table("positive")
    op.drop_table("contest")
    op.drop_table("excluded")
    for name in ("root", "terms", "opt_in_spaces"):
        op.drop_column("screening", name)
