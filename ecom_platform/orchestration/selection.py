"""The assets of a run that is about some feeds: these, and what follows from them.

Belongs here: the list. Does not belong here: which feeds a run is about (the sensor, the terminal).
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.orchestration.assets.duplicate_audit import AUDIT
from ecom_platform.orchestration.assets.performance_report import REPORT
from ecom_platform.orchestration.workload import Workload


def assets_of(feeds: Collection[str], workload: Workload) -> list[dg.AssetKey]:
    """What a workload makes of events follows from the first feed alone."""
    tables = workload.tables if TOP_FEED in feeds else ()
    return [dg.AssetKey(name) for name in (*sorted(feeds), AUDIT, *tables, REPORT)]
