"""What is to happen every day, once somebody turns it on: audit, report, retention, upkeep.

Belongs here: the jobs and their times. Does not belong here: the work. Each may run at any time and as
often as one likes.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from ecom_platform.landing.expiry import delete_expired
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.orchestration.run_retention import expire_runs
from ecom_platform.store.retention import expire
from ecom_platform.store.upkeep import tend


@dg.op
def delete_what_is_past_its_time(
    context: dg.OpExecutionContext, ecom_postgres: PostgresResource, ecom_landing: LandingZoneResource
) -> None:
    """Archived files past `ECOM_ARCHIVE_DAYS`; what only tells how things went past `ECOM_HISTORY_DAYS`.

    Those are replayed rejects, micro-batches, measured figures, alerts that are over, and Dagster's own
    finished runs with their events and logs.
    """
    now, settings = datetime.now(UTC), ecom_landing.settings
    past = now - timedelta(days=settings.history_days)
    with ecom_postgres.transaction() as connection:
        expired = expire(connection, past)
    keep = settings.archive_days
    days = [] if keep is None else delete_expired(ecom_landing.zone, now.date(), keep)
    runs = expire_runs(context.instance, past)
    context.log.info(
        f"Deleted {asdict(expired)}; {runs} of Dagster's runs; "
        f"{len(days)} days of the archive: {', '.join(days)}"
    )


@dg.op
def vacuum_and_analyze(context: dg.OpExecutionContext, ecom_postgres: PostgresResource) -> None:
    """VACUUM and ANALYZE of the tables that want it, by PostgreSQL's own statistics."""
    done = tend(ecom_postgres.database)
    context.log.info(f"{ {table: str(wish) for table, wish in done.items()} or 'No table wants anything.' }")


@dg.job(name="retention", executor_def=dg.in_process_executor)
def retention_job() -> None:
    """Delete what is past its time: archived files, replayed rejects, batches, metrics, Dagster's runs."""
    delete_what_is_past_its_time()


@dg.job(name="upkeep", executor_def=dg.in_process_executor)
def upkeep_job() -> None:
    """VACUUM and ANALYZE of the tables that want it."""
    vacuum_and_analyze()


def daily(declared: DeclaredFeeds, tables: Sequence[str] = ()) -> dg.Definitions:
    """The jobs and their schedules. ``tables``: assets that follow from the events, looked at as well."""
    audit_job = dg.define_asset_job(
        "audit",
        selection=dg.AssetSelection.assets("duplicate_audit")
        | dg.AssetSelection.checks_for_assets(*declared.keys, *(dg.AssetKey(name) for name in tables)),
        description="Count duplicates, run every check of the tables; loads nothing.",
        executor_def=dg.in_process_executor,
    )
    report_job = dg.define_asset_job(
        "report",
        selection=dg.AssetSelection.assets("performance_report", *tables),
        description="Bring what follows from the events up to date and write the report; loads nothing.",
        executor_def=dg.in_process_executor,
    )
    times = (
        (audit_job, "0 3 * * *"),
        (retention_job, "20 3 * * *"),
        (upkeep_job, "40 3 * * *"),
        (report_job, "0 4 * * *"),
    )
    return dg.Definitions(
        jobs=[job for job, _ in times],
        schedules=[
            dg.ScheduleDefinition(
                name=f"daily_{job.name}",
                job=job,
                cron_schedule=time,
                execution_timezone="UTC",
                default_status=dg.DefaultScheduleStatus.STOPPED,
                description=job.description,
            )
            for job, time in times
        ],
    )
