"""The shop as a workload of the engine: its definitions, and its answers to what the engine asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import dagster as dg

from ecom_platform.orchestration.jobs import LOADS
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings
from ecom_platform.shop import MAIN_JOB, generations
from ecom_platform.shop.event import USER_EVENTS
from ecom_platform.shop.event_rules import EVENT_RULES
from ecom_platform.shop.raw_events import (
    files_hold_generated_events,
    generated_events_stored_once,
    raw_events,
)
from ecom_platform.shop.rollups import refresh_all
from ecom_platform.shop.sales_days import known_first_day, remember_first_day
from ecom_platform.shop.sales_figures import ROLLUPS, recount_job, sales_figures, sales_reconcile
from ecom_platform.shop.screen import first_screen
from ecom_platform.store.connection import Connection, Database

main_job = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.assets(
        "raw_events", USER_EVENTS, "duplicate_audit", *ROLLUPS, "performance_report"
    ),
    description="Generate events, stream them into PostgreSQL, audit, run every check: what `ecom run` runs "
    "in the terminal, and *Materialize all* here.",
    tags=LOADS,
)


def shop(settings: Settings) -> Workload:
    """Everything that the shop adds to the engine."""
    return Workload(
        definitions=dg.Definitions(
            assets=[raw_events, sales_figures],
            asset_checks=[files_hold_generated_events, generated_events_stored_once, sales_reconcile],
            jobs=[main_job, recount_job(known_first_day(settings.home))],
        ),
        upstream={USER_EVENTS: ["raw_events"], "performance_report": ROLLUPS},
        tables=ROLLUPS,
        row_rules={USER_EVENTS: EVENT_RULES},
        checks=[generated_events_stored_once.check_key, *sales_reconcile.check_keys],
        producer="raw_events",
        whole_files=_files_of,
        after_load=_bring_figures_up_to_date,
        first_screen=first_screen,
    )


def events_alone() -> Workload:
    """What stays where the shop is off: the checks of the events, by their names."""
    return Workload(row_rules={USER_EVENTS: EVENT_RULES})


def _files_of(connection: Connection, run_id: str) -> Collection[str]:
    """What the generator wrote in this run."""
    generation = generations.latest(connection, run_id)
    return generation.file_names if generation is not None and generation.run_id == run_id else ()


def _bring_figures_up_to_date(database: Database, settings: Settings) -> Iterator[str]:
    for rollup, done in refresh_all(database, ROLLUPS):
        yield f"{rollup}: {done}"
    remember_first_day(database, settings.home)
