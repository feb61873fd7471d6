"""A record may have ended of which nothing is left but its entries.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UNSHREDDED = sa.text("NOT shredded")


def upgrade() -> None:
    _refer_to("entry", "index")


def downgrade() -> None:
    op.execute(
        "DELETE FROM terminal WHERE register_index NOT IN (SELECT register_index FROM record)"
    )
    _refer_to("record", "register_index")


def _refer_to(table: str, column: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("fk_terminal_register_index", "terminal", type_="foreignkey")
        op.create_foreign_key(
            op.f("fk_terminal_register_index"), "terminal", table, ["register_index"], [column]
        )
        return
    # SQLite can not change a constraint. The rows are small: two numbers and a status each.
    op.create_table(
        "terminal_new",
        sa.Column("register_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("shredded", sa.Boolean(), nullable=False),
        sa.CheckConstraint("status IN (2, 3, 4)", name=op.f("ck_terminal_status")),
        sa.CheckConstraint("entry_index > register_index", name=op.f("ck_terminal_order")),
        sa.ForeignKeyConstraint(
            ["register_index"], [f"{table}.{column}"], name=op.f("fk_terminal_register_index")
        ),
        sa.ForeignKeyConstraint(
            ["entry_index"], ["entry.index"], name=op.f("fk_terminal_entry_index")
        ),
        sa.PrimaryKeyConstraint("register_index", name=op.f("pk_terminal")),
    )
    op.execute(
        "INSERT INTO terminal_new (register_index, entry_index, status, shredded)"
        " SELECT register_index, entry_index, status, shredded FROM terminal"
    )
    op.drop_table("terminal")
    op.rename_table("terminal_new", "terminal")
    op.create_index(
        "ix_terminal_unshredded", "terminal", ["register_index"], sqlite_where=_UNSHREDDED
    )
