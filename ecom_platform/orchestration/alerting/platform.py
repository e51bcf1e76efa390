"""The alerts of this platform: those of any project, and those about its files.

Belongs here: plugging ``alerts.files`` and the platform's own database in. Does not belong here: either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from ecom_platform.alerts.files import Watched, file_signs, watched_feeds
from ecom_platform.alerts.problem import Sign, Window
from ecom_platform.catalog import catalog
from ecom_platform.feeds.limits import reject_share
from ecom_platform.landing.inspection import inspection
from ecom_platform.orchestration.alerting.sensor import check_alerts
from ecom_platform.settings import AlertSettings, load_settings
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.provision import provide


@contextmanager
def _platform_database() -> Iterator[Database]:
    with provide(load_settings()) as database:
        yield database


def file_source(
    connection: Connection, window: Window, now: datetime, settings: AlertSettings
) -> Iterator[Sign]:
    """Signs of the files of every feed."""
    platform = load_settings()
    declared, landing = catalog(platform).feeds, inspection(platform)
    for name in watched_feeds(connection, window, now):
        said = reject_share(declared[name]) if name in declared else None
        yield from file_signs(
            Watched(connection, name, settings.reject_share if said is None else said, settings.ui_url),
            window,
            now,
            quarantine=f"{landing.quarantine}, each with its reason beside it",
            taken_out=landing.taken_out,
        )


def platform_alerts() -> dg.Definitions:
    """``check_alerts`` with the platform's database and its files."""
    return check_alerts(sources=[file_source], provide=_platform_database)
