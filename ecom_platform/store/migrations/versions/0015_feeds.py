"""The tables of feeds that people declare."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The driver takes a percent sign for a parameter.
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").replace("%", "%%")
    op.get_bind().exec_driver_sql(text)
