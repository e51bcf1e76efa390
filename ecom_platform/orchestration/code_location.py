"""The code location: the engine's definitions, and how a program gets at those that it runs.

Belongs here: gathering. Does not belong here: deciding anything, or knowing which workload there is: that is
``ecom_platform.definitions``, the module that `workspace.yaml` names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import dagster as dg

from ecom_platform.catalog import catalog
from ecom_platform.orchestration.alerting.platform import platform_alerts
from ecom_platform.orchestration.assets.duplicate_audit import AUDIT, duplicate_audit
from ecom_platform.orchestration.assets.feed_assets import feed_assets
from ecom_platform.orchestration.assets.performance_report import REPORT, performance_report
from ecom_platform.orchestration.checks.feed_checks import feed_checks
from ecom_platform.orchestration.checks.platform_checks import platform_checks
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import ingest_job
from ecom_platform.orchestration.maintenance import MAINTENANCE_JOBS
from ecom_platform.orchestration.resources import resources
from ecom_platform.orchestration.schedules import daily
from ecom_platform.orchestration.sensors.ledger_age import ledger_age
from ecom_platform.orchestration.sensors.live_mode import live_mode as live_mode_sensor
from ecom_platform.orchestration.sensors.new_csv_files import new_csv_files
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings

MODULE = "ecom_platform.definitions"


def definitions(settings: Settings, workload: Workload) -> dg.Definitions:
    """Everything that the UI shows, of the feeds that are declared now."""
    declared = DeclaredFeeds(catalog(settings))
    platform = platform_definitions(settings, declared, workload)
    return dg.Definitions.merge(
        feed_definitions(declared, workload),
        platform,
        workload.definitions,
        # One run is one process and one Spark session; a process a step takes four times as long. The session
        # has the name here, too, that Dagster's own package gives it.
        dg.Definitions(
            executor=dg.in_process_executor, resources={"pyspark": (platform.resources or {})["ecom_spark"]}
        ),
    )


def feed_definitions(
    declared: DeclaredFeeds, workload: Workload, step: Callable[[str], str] = str
) -> dg.Definitions:
    """Of each feed its asset and its checks. ``step``: by its usual name, what a step is called."""
    return dg.Definitions(
        assets=[feed_assets(declared, workload.upstream, step("load"))],
        asset_checks=feed_checks(declared, workload.row_rules, step),
    )


def platform_definitions(settings: Settings, declared: DeclaredFeeds, workload: Workload) -> dg.Definitions:
    """What a code location has once, however many feeds there are: jobs, sensors, schedules, resources."""
    checks = platform_checks(declared, dg.AssetKey(AUDIT))
    evaluated = [
        key for check in [*feed_checks(declared, workload.row_rules), *checks] for key in check.check_keys
    ]
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[duplicate_audit(declared), performance_report(workload.upstream.get(REPORT, ()))],
            asset_checks=checks,
            jobs=[ingest_job, *MAINTENANCE_JOBS],
            sensors=[new_csv_files, live_mode_sensor, ledger_age],
            resources=resources(settings, workload, replace(declared, checks=evaluated)),
        ),
        daily(declared, workload.tables),
        platform_alerts(),
    )


def load() -> tuple[dg.Definitions, Workload]:
    """What the module that `workspace.yaml` names defines, and the workload in it."""
    location = import_module(MODULE)
    return location.defs, location.workload
