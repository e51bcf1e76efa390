"""The outbox of alerts: problems, and the deliveries of each to each target."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


_FILES = ("0003_alerts.sql", "0003_files_by_time.sql")


def upgrade() -> None:
    for name in _FILES:
        op.get_bind().exec_driver_sql(Path(__file__).with_name(name).read_text(encoding="utf-8"))
