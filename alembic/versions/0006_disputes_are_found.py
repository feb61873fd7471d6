"""Disputes are found without reading the whole log.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DISPUTE = sa.text("type = 9")


def upgrade() -> None:
    op.create_index(
        "ix_entry_dispute", "entry", ["index"], sqlite_where=_DISPUTE, postgresql_where=_DISPUTE
    )


def downgrade() -> None:
    op.drop_index("ix_entry_dispute", table_name="entry")
