"""What became of a record: which sessions it excluded images of.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exclusion",
        sa.Column("register_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("screening_id", sa.LargeBinary(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.CheckConstraint("images >= 0", name=op.f("ck_exclusion_images")),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screening.id"], name=op.f("fk_exclusion_screening_id")
        ),
        sa.PrimaryKeyConstraint("register_index", "screening_id", name=op.f("pk_exclusion")),
    )


def downgrade() -> None:
    op.drop_table("exclusion")
