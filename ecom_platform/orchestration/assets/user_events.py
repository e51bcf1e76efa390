"""The asset ``user_events``: the table, streamed from the files that have landed."""

from datetime import timedelta
from typing import Any

import dagster as dg

from ecom_platform.catalog import packaged
from ecom_platform.orchestration.metadata import GROUP, OWNERS, table_metadata, table_name, table_schema
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource, SparkResource
from ecom_platform.orchestration.workload import Workload
from ecom_platform.reporting.figures import QUANTILES, latency_metrics
from ecom_platform.reporting.sampler import sampling
from ecom_platform.store import ledger
from ecom_platform.store.feed_table import OWN_FEED
from ecom_platform.store.metrics import Metric, activity, record
from ecom_platform.store.provision import server_process
from ecom_platform.store.scope import row_count
from ecom_platform.streaming.executors import executor_metrics
from ecom_platform.streaming.ingest import IngestResult, ingest
from ecom_platform.streaming.query import StreamResult
from ecom_platform.waits import spoken

POOL = "ecom_ingest"
FRESHNESS_WINDOW = timedelta(hours=24)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"spark", "postgres"},
    code_version="1",
    pool=POOL,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FRESHNESS_WINDOW),
    metadata={"dagster/column_schema": table_schema(packaged()[OWN_FEED]), **table_name("user_events")},
)
def user_events(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    landing: LandingZoneResource,
    pyspark: SparkResource,
    workload: dg.ResourceParam[Workload],
) -> dg.MaterializeResult[None]:
    """Every event that has landed, stored exactly once by Spark Structured Streaming.

    Files are claimed into the ledger `ingested_files`, cut into units of whole files, and each unit
    is loaded in one transaction: new events into `user_events`, rows that cannot be loaded into
    `rejected_events`, and the counts of every file into the ledger. For every file and in total,
    **read = inserted + duplicate + rejected**. Killing it at any moment, running it again or dropping
    the same files again never stores an event twice and never loses one.

    Rows that were refused, and why: `ecom rejects list`. Where one event came from: `ecom trace EVENT_ID`.
    """

    def observe(progress: StreamResult) -> None:
        metadata = {"rows": progress.rows, "files": progress.files, "batches": progress.batches}
        context.log_event(dg.AssetObservation(asset_key="user_events", metadata=metadata))

    with postgres.transaction() as connection:
        produced = workload.whole_files(connection, context.run_id)
        before = activity(connection)
    with sampling(server_process(landing.settings)) as usage:
        result = ingest(
            landing.settings,
            postgres.database,
            lambda: pyspark.spark_session,
            context.run_id,
            produced=produced,
            on_wait=lambda holder: context.log.warning(
                f"Waiting for the ingest lock, held by {holder}; for "
                f"{spoken(landing.settings.lock_wait_seconds)} at most."
            ),
            on_batch=observe,
        )
    described = table_metadata(postgres.database, landing.settings, "user_events")
    with postgres.transaction() as connection:
        metadata = _metadata(result, ledger.run_progress(connection, context.run_id)) | described
        if result.stream.batches:
            measured = [
                *usage.metrics(),
                *_latency(result.stream),
                *executor_metrics(result.stream.executor_use),
            ]
            record(connection, context.run_id, [*measured, *activity(connection).since(before).metrics()])
        metadata["dagster/row_count"] = row_count(
            connection, landing.own_table, landing.settings.whole_check_rows
        )
    return dg.MaterializeResult(metadata=metadata)


def _latency(stream: StreamResult) -> list[Metric]:
    return latency_metrics(stream.latencies, [stream.latency(quantile) for quantile in QUANTILES])


def _metadata(result: IngestResult, progress: ledger.RunProgress) -> dict[str, Any]:
    totals, stream = result.totals, result.stream
    metadata: dict[str, Any] = {
        "rows_read": totals.rows_read,
        "rows_inserted": totals.rows_inserted,
        "rows_updated": totals.rows_updated,
        "rows_stale": totals.rows_stale,
        "rows_duplicate": totals.rows_duplicate,
        "rows_rejected": totals.rows_rejected,
        "files_landed": totals.loaded + totals.quarantined,
        "files_loaded": totals.loaded,
        "files_quarantined": totals.quarantined,
        "files_unsettled": len(result.unsettled),
        "batches": stream.batches,
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(progress.rows_per_second),
        "python_worker_peak_mib": round(stream.worker_peak_bytes / 2**20),
    }
    for name, quantile in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        latency = stream.latency(quantile)
        if latency is not None:
            metadata[f"latency_{name}_seconds"] = round(latency, 3)
    if stream.batches:
        # Which executors did the work, and the name by which Spark's own pages know it.
        metadata["spark_application"] = stream.application
        metadata["executors"] = dg.MetadataValue.json(dict(stream.executors))
    if result.refused:
        metadata["refused"] = dg.MetadataValue.json(result.refused)
    return metadata
