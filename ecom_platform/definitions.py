"""The code location: gathers everything, decides nothing."""

from __future__ import annotations

import dagster as dg

from ecom_platform.orchestration import jobs
from ecom_platform.orchestration.alerting.platform import platform_alerts
from ecom_platform.orchestration.assets import (
    duplicate_audit,
    performance_report,
    raw_events,
    sales,
    user_events,
)
from ecom_platform.orchestration.checks import archive as archive_checks
from ecom_platform.orchestration.checks import live_mode as live_mode_checks
from ecom_platform.orchestration.checks import raw_events as raw_events_checks
from ecom_platform.orchestration.checks import sales as sales_checks
from ecom_platform.orchestration.checks import user_events as user_events_checks
from ecom_platform.orchestration.maintenance import maintenance_jobs
from ecom_platform.orchestration.resources import resources
from ecom_platform.orchestration.schedules import SCHEDULED_JOBS, SCHEDULES
from ecom_platform.orchestration.sensors.ledger_age import ledger_age
from ecom_platform.orchestration.sensors.live_mode import live_mode
from ecom_platform.orchestration.sensors.new_csv_files import new_csv_files
from ecom_platform.settings import load_settings

settings = load_settings()
defs = dg.Definitions(
    assets=dg.load_assets_from_modules([raw_events, user_events, duplicate_audit, sales, performance_report]),
    asset_checks=dg.load_asset_checks_from_modules(
        [raw_events_checks, user_events_checks, archive_checks, live_mode_checks, sales_checks]
    ),
    jobs=[*jobs.JOBS, *maintenance_jobs(settings), *SCHEDULED_JOBS],
    sensors=[new_csv_files, live_mode, ledger_age],
    schedules=SCHEDULES,
    resources=resources(settings),
    # One run is one process and one Spark session; a process a step takes four times as long.
    executor=dg.in_process_executor,
)
defs = dg.Definitions.merge(defs, platform_alerts())
