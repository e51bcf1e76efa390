"""What the person on call does, as jobs with typed config: the same functions as the commands."""

from datetime import date, datetime
from typing import Any, Self

import dagster as dg
from pydantic import Field, model_validator

from ecom_platform.landing.corrections import file_below, replay_as_they_are, replay_corrected
from ecom_platform.landing.requeue import reconcile, reload_files, reload_since
from ecom_platform.landing.trace import trace
from ecom_platform.orchestration.assets.sales import LINEAGE, RecountConfig
from ecom_platform.orchestration.assets.user_events import POOL
from ecom_platform.orchestration.checks.sales import SALES_CHECKS
from ecom_platform.orchestration.metadata import check_result, column_lineage
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource, SparkResource
from ecom_platform.orchestration.sales_days import known_first_day, remember_first_day
from ecom_platform.orchestration.times import utc
from ecom_platform.postgres.lock import ingest_lock
from ecom_platform.postgres.rollups import CONVERSION_FUNNEL, HOURLY_SALES, reconciles_all, refresh_all
from ecom_platform.reporting.report import write_report
from ecom_platform.settings import Settings
from ecom_platform.streaming.ingest import ingest

_ROLLUPS = (HOURLY_SALES, CONVERSION_FUNNEL)


class TraceConfig(dg.Config):
    """What to follow through the platform."""

    wanted: str = Field(
        min_length=1, description="An event_id, or a file: its name, ledger id or archive path."
    )


class ReloadConfig(dg.Config):
    """Which archived files to load again: either files or since."""

    files: list[str] = Field(default=[], description="Names, ledger ids or archive paths.")
    since: str | None = Field(
        default=None, description="Everything loaded at or after this time, ISO 8601, UTC."
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        """As the command has it. Pydantic wants a :class:`ValueError`."""
        if bool(self.files) == bool(self.since):
            raise ValueError("Give either files or since, such as 2026-01-31.")
        return self


class ReconcileConfig(dg.Config):
    """For which landing folder."""

    adopt: bool = Field(
        default=False,
        description="Make this landing folder the one that the database loads from, whichever it was before.",
    )


class ReplayConfig(dg.Config):
    """Which rejects to try again."""

    fixed: str | None = Field(
        default=None,
        description="Name of a CSV file of corrected rows in ECOM_HOME/corrections; empty: as they are.",
    )


def _ingest(
    context: dg.OpExecutionContext,
    postgres: PostgresResource,
    landing: LandingZoneResource,
    pyspark: SparkResource,
) -> None:
    """Load what waits, and bring what follows from it up to date."""
    result = ingest(landing.settings, postgres.database, lambda: pyspark.spark_session, context.run_id)
    context.log.info(f"Ingested: {result.totals}")
    for rollup, done in refresh_all(postgres.database, _ROLLUPS):
        context.log.info(f"{rollup}: {done}")
    remember_first_day(postgres.database, landing.settings.home)
    report = write_report(postgres.database, landing.settings.reports_dir, context.run_id)
    context.log.info(f"Report: {report.path}")


@dg.op
def trace_event_or_file(
    context: dg.OpExecutionContext,
    config: TraceConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
) -> None:
    """What became of an event or a file. The run succeeds, whatever the answer."""
    with postgres.database.open() as connection:
        answer = trace(connection, landing.zone, config.wanted)
    context.log.info("\n".join([answer.verdict, *(str(fact) for fact in answer.facts)]))
    context.add_output_metadata(
        {"known": answer.known, "verdict": answer.verdict, "facts": dg.MetadataValue.json(answer.facts)}
    )


@dg.op(pool=POOL)
def reload_archived_files(
    context: dg.OpExecutionContext,
    config: ReloadConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
    pyspark: SparkResource,
) -> None:
    """Bring archived files back and load them: deleted rows return, the rest are duplicates."""
    if config.since:
        names = reload_since(postgres.database, landing.zone, utc("since", config.since))
    else:
        names = reload_files(postgres.database, landing.zone, config.files)
    context.log.info(f"{len(names)} files land again: {', '.join(names[:20])}")
    _ingest(context, postgres, landing, pyspark)


@dg.op(pool=POOL)
def reconcile_disk_and_ledger(
    context: dg.OpExecutionContext,
    config: ReconcileConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
    pyspark: SparkResource,
) -> None:
    """After a database was restored: load again what its ledger does not know."""
    with ingest_lock(postgres.database, landing.settings.lock_wait_seconds):
        done = reconcile(postgres.database, landing.zone, adopt=config.adopt)
    context.log.info(f"{done}")
    _ingest(context, postgres, landing, pyspark)


@dg.op
def replay_rejected_rows(
    context: dg.OpExecutionContext,
    config: ReplayConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
) -> None:
    """Load rejects that have become valid, or their corrected rows."""
    if config.fixed is not None:
        corrections = file_below(landing.settings.corrections_dir, config.fixed)
        done = replay_corrected(postgres.database, corrections)
    else:
        done = replay_as_they_are(postgres.database, landing.zone)
    context.log.info(f"{dict(done.verdicts)}; unmatched: {done.unmatched}")


@dg.job(name="trace")
def trace_job() -> None:
    """What became of an event or a file: file, line, batch, run, verdict."""
    trace_event_or_file()


@dg.job(name="reload")
def reload_job() -> None:
    """Load archived files again."""
    reload_archived_files()


@dg.job(name="reconcile")
def reconcile_job() -> None:
    """Bring disk and ledger in agreement after a database was restored, then ingest."""
    reconcile_disk_and_ledger()


@dg.job(name="replay_rejects")
def replay_rejects_job() -> None:
    """Load rejects that have become valid."""
    replay_rejected_rows()


@dg.op
def recount_days(
    context: dg.OpExecutionContext,
    config: RecountConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
) -> None:
    """Count days of both sales tables anew from the events."""
    for rollup, done in refresh_all(postgres.database, _ROLLUPS, config.days()):
        metadata: dict[str, Any] = {
            "changed_events": done.events,
            "recounted_events": done.recounted,
            "dagster/column_lineage": column_lineage("user_events", LINEAGE[rollup]),
        }
        context.log_event(dg.AssetMaterialization(rollup, metadata=metadata))
    # A materialization without a look at its check would turn a failed one grey.
    limit = landing.settings.whole_check_rows
    for rollup, finding in reconciles_all(postgres.database, SALES_CHECKS, whole_up_to=limit):
        result = check_result(finding, asset=rollup)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(rollup),
            check_name=finding.check,
            passed=finding.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
        )
        context.log_event(evaluation)  # type: ignore[arg-type] # it takes these as well


def recount_job(first_day: date) -> dg.JobDefinition:
    """A partition a day from the first one that has figures to tomorrow.

    The job has the partitions, not the assets: a partitioned asset would make "Materialize all" ask for
    a partition, and there is none to ask for when what changed is taken in.
    """

    @dg.daily_partitioned_config(start_date=first_day.isoformat(), end_offset=2)
    def one_day(start: datetime, _end: datetime) -> dict[str, Any]:
        day = f"{start:%Y-%m-%d}"
        return {"ops": {"recount_days": {"config": {"first_day": day, "last_day": day}}}}

    @dg.job(name="recount_sales", config=one_day)
    def recount_sales() -> None:
        """Count days of the sales tables anew, a partition a day: `Launch backfill` takes any range."""
        recount_days()

    return recount_sales


def maintenance_jobs(settings: Settings) -> list[dg.JobDefinition]:
    return [
        trace_job,
        reload_job,
        reconcile_job,
        replay_rejects_job,
        recount_job(known_first_day(settings.home)),
    ]
