"""What the person on call does, as jobs with typed config: the same functions as the commands."""

from typing import Self

import dagster as dg
from pydantic import Field, model_validator

from ecom_platform.catalog import catalog, declared_feed
from ecom_platform.oncall.corrections import file_below, replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reconcile, reload_files, reload_since
from ecom_platform.oncall.trace import trace
from ecom_platform.orchestration.jobs import POOL
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource, SparkResource
from ecom_platform.orchestration.times import utc
from ecom_platform.orchestration.workload import Workload
from ecom_platform.reporting.report import write_report
from ecom_platform.store.lock import ingest_lock
from ecom_platform.streaming.ingest import ingest


class TraceConfig(dg.Config):
    """What to follow through the platform."""

    wanted: str = Field(
        min_length=1,
        description="The id of a row, or a file: its name, ledger id or archive path; or FILE:LINE.",
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
    feed: str | None = Field(default=None, description="The feed that the corrected rows are of.")


def _ingest(
    context: dg.OpExecutionContext,
    postgres: PostgresResource,
    landing: LandingZoneResource,
    pyspark: SparkResource,
    workload: Workload,
) -> None:
    """Load what waits, and bring what follows from it up to date."""
    result = ingest(landing.settings, postgres.database, lambda: pyspark.spark_session, context.run_id)
    context.log.info(f"Ingested: {result.totals}")
    for done in workload.after_load(postgres.database, landing.settings):
        context.log.info(done)
    folder, first_screen = landing.settings.reports_dir, workload.first_screen
    report = write_report(postgres.database, folder, context.run_id, first_screen, workload.tables)
    context.log.info(f"Report: {report.path}")


@dg.op
def trace_event_or_file(
    context: dg.OpExecutionContext,
    config: TraceConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
) -> None:
    """What became of a row, a file or a line of one. The run succeeds, whatever the answer."""
    with ecom_postgres.database.open() as connection:
        answer = trace(connection, ecom_landing.zone, config.wanted, catalog(ecom_landing.settings).feeds)
    context.log.info("\n".join([answer.verdict, *(str(fact) for fact in answer.facts)]))
    context.add_output_metadata(
        {"known": answer.known, "verdict": answer.verdict, "facts": dg.MetadataValue.json(answer.facts)}
    )


@dg.op(pool=POOL)
def reload_archived_files(
    context: dg.OpExecutionContext,
    config: ReloadConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
    ecom_spark: SparkResource,
    ecom_workload: dg.ResourceParam[Workload],
) -> None:
    """Bring archived files back and load them: deleted rows return, the rest are duplicates."""
    if config.since:
        names = reload_since(ecom_postgres.database, ecom_landing.zone, utc("since", config.since))
    else:
        names = reload_files(ecom_postgres.database, ecom_landing.zone, config.files)
    context.log.info(f"{len(names)} files land again: {', '.join(names[:20])}")
    _ingest(context, ecom_postgres, ecom_landing, ecom_spark, ecom_workload)


@dg.op(pool=POOL)
def reconcile_disk_and_ledger(
    context: dg.OpExecutionContext,
    config: ReconcileConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
    ecom_spark: SparkResource,
    ecom_workload: dg.ResourceParam[Workload],
) -> None:
    """After a database was restored: load again what its ledger does not know."""
    with ingest_lock(ecom_postgres.database, ecom_landing.settings.lock_wait_seconds):
        done = reconcile(ecom_postgres.database, ecom_landing.zone, adopt=config.adopt)
    context.log.info(f"{done}")
    _ingest(context, ecom_postgres, ecom_landing, ecom_spark, ecom_workload)


@dg.op
def replay_rejected_rows(
    context: dg.OpExecutionContext,
    config: ReplayConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
) -> None:
    """Load rejects that have become valid, or their corrected rows."""
    if config.fixed is not None:
        corrections = file_below(ecom_landing.settings.corrections_dir, config.fixed)
        feed = declared_feed(ecom_landing.settings, config.feed)
        done = replay_corrected(ecom_postgres.database, corrections, feed, ecom_landing.zone)
    else:
        done = replay_as_they_are(
            ecom_postgres.database, ecom_landing.zone, catalog(ecom_landing.settings).feeds
        )
    context.log.info(f"{dict(done.verdicts)}; unmatched: {done.unmatched}")


@dg.job(name="trace", executor_def=dg.in_process_executor)
def trace_job() -> None:
    """What became of an event or a file: file, line, batch, run, verdict."""
    trace_event_or_file()


@dg.job(name="reload", executor_def=dg.in_process_executor)
def reload_job() -> None:
    """Load archived files again."""
    reload_archived_files()


@dg.job(name="reconcile", executor_def=dg.in_process_executor)
def reconcile_job() -> None:
    """Bring disk and ledger in agreement after a database was restored, then ingest."""
    reconcile_disk_and_ledger()


@dg.job(name="replay_rejects", executor_def=dg.in_process_executor)
def replay_rejects_job() -> None:
    """Load rejects that have become valid."""
    replay_rejected_rows()


MAINTENANCE_JOBS = [trace_job, reload_job, reconcile_job, replay_rejects_job]
