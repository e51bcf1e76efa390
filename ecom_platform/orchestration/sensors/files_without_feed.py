"""Telling of files without a feed: no run begins for them, so the sensor that sees them shows their check.

Belongs here: when it is shown, and as what. Does not belong here: which files these are
(``landing.folder.placing``).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from ecom_platform.landing.evidence import feed_finding
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.settings import Settings

# By landing place, the files of which this process has told.
_told: dict[str, frozenset[str]] = {}


def told_of_files_without_feed(
    settings: Settings, waiting: Mapping[str, str], declared: DeclaredFeeds
) -> list[dg.AssetCheckEvaluation]:
    """The check ``files_have_a_feed``, where other files wait than when this process last told of it."""
    now = frozenset(waiting)
    before = _told.get(settings.landing_place, frozenset())
    _told[settings.landing_place] = now
    if now == before:
        return []
    result = check_result(feed_finding(waiting), dg.AssetCheckSeverity.WARN)
    return [
        dg.AssetCheckEvaluation(
            check_name=result.check_name,
            asset_key=declared.first,
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
        )
    ]
