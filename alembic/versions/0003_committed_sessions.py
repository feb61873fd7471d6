"""What committed screenings left in the log, and the results of their blocks.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "committed_session",
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("builder_key", sa.LargeBinary(), nullable=False),
        sa.Column("session_index", sa.BigInteger(), nullable=False),
        sa.Column("close_index", sa.BigInteger(), nullable=True),
        sa.Column("results_root", sa.LargeBinary(), nullable=True),
        sa.Column("certify_index", sa.BigInteger(), nullable=True),
        sa.Column("certify_digest", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "length(builder_key) = 32", name=op.f("ck_committed_session_builder_key")
        ),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screening.id"], name=op.f("fk_committed_session_screening_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_index"], ["entry.index"], name=op.f("fk_committed_session_session_index")
        ),
        sa.ForeignKeyConstraint(
            ["close_index"], ["entry.index"], name=op.f("fk_committed_session_close_index")
        ),
        sa.ForeignKeyConstraint(
            ["certify_index"], ["entry.index"], name=op.f("fk_committed_session_certify_index")
        ),
        sa.PrimaryKeyConstraint("screening_id", name=op.f("pk_committed_session")),
        sa.UniqueConstraint("session_index", name=op.f("uq_committed_session_session_index")),
    )
    op.create_table(
        "committed_block",
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("results", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(results) = 32", name=op.f("ck_committed_block_results")),
        sa.ForeignKeyConstraint(
            ["screening_id", "number"],
            ["screening_block.screening_id", "screening_block.number"],
            name=op.f("fk_committed_block_screening_id_number"),
        ),
        sa.PrimaryKeyConstraint("screening_id", "number", name=op.f("pk_committed_block")),
    )


def downgrade() -> None:
    op.drop_table("committed_block")
    op.drop_table("committed_session")
