"""The assets of the feeds: a table each, streamed from the files that have landed.

Belongs here: what each says of itself, and the step that loads those that a run has chosen, all in one
stream. Does not belong here: loading (``streaming.ingest``), or the checks (``checks.feed_checks``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.limits import freshness_window
from ecom_platform.feeds.travel import declaration_hash
from ecom_platform.orchestration.declared import FEED_TAG, DeclaredFeeds
from ecom_platform.orchestration.jobs import POOL
from ecom_platform.orchestration.metadata import GROUP, OWNERS, table_metadata, table_name, table_schema
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource, SparkResource
from ecom_platform.orchestration.workload import Workload
from ecom_platform.reporting.figures import QUANTILES, latency_metrics
from ecom_platform.reporting.sampler import sampling
from ecom_platform.store import ledger
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.metrics import Metric, activity, record
from ecom_platform.store.outcome import feed_of
from ecom_platform.store.provision import server_process
from ecom_platform.store.scope import row_count
from ecom_platform.streaming.executors import executor_metrics
from ecom_platform.streaming.ingest import IngestResult, ingest
from ecom_platform.streaming.query import StreamResult
from ecom_platform.waits import spoken

_HOW = """

Loaded by Spark Structured Streaming. Files are claimed into the ledger `ingested_files`, cut into units of
whole files, and each unit is loaded in one transaction: new rows into the table, rows that cannot be loaded
into `rejected_events`, and the counts of every file into the ledger. For every file and in total,
**read = inserted + duplicate + rejected**. Killing it at any moment, running it again or dropping
the same files again never stores a row twice and never loses one.

Rows that were refused, and why: `ecom rejects list`. Where one row came from: `ecom trace`.
"""


def feed_assets(
    declared: DeclaredFeeds, upstream: Mapping[str, Sequence[str]], step: str = "load"
) -> dg.AssetsDefinition:
    """An asset of each declared feed. One step, ``step``, loads those that are chosen, since one stream does.

    ``upstream``: by feed, the assets that come before it. They are said here, where the step is made: arrows
    that are drawn to a finished step of several assets do not decide when it is executed.
    """

    @dg.multi_asset(name=step, specs=_specs(declared, upstream), can_subset=True, pool=POOL)
    def load(
        context: dg.AssetExecutionContext,
        ecom_postgres: PostgresResource,
        ecom_landing: LandingZoneResource,
        ecom_spark: SparkResource,
        ecom_workload: dg.ResourceParam[Workload],
    ) -> Iterator[Any]:
        # In the order of their declarations: the chosen keys are a set.
        chosen = [name for name in declared.names if dg.AssetKey(name) in context.selected_asset_keys]

        def observe(progress: StreamResult) -> None:
            metadata = {"rows": progress.rows, "files": progress.files, "batches": progress.batches}
            for name in chosen:
                context.log_event(dg.AssetObservation(asset_key=name, metadata=metadata))

        with ecom_postgres.transaction() as connection:
            produced = ecom_workload.whole_files(connection, context.run.run_id)
            before = activity(connection)
        with sampling(server_process(ecom_landing.settings)) as usage:
            result = ingest(
                ecom_landing.settings,
                ecom_postgres.database,
                lambda: ecom_spark.spark_session,
                context.run.run_id,
                feeds=declared.chosen(context.selected_asset_keys),
                produced=produced,
                on_wait=lambda holder: context.log.warning(
                    f"Waiting for the ingest lock, held by {holder}; for "
                    f"{spoken(ecom_landing.settings.lock_wait_seconds)} at most."
                ),
                on_batch=observe,
            )
        with ecom_postgres.transaction() as connection:
            if result.stream.batches:
                measured = [*usage.metrics(), *_of_spark(result.stream)]
                since = activity(connection).since(before).metrics()
                record(connection, context.run.run_id, [*measured, *since])
            progress = ledger.run_progress(connection, context.run.run_id)
        for name in chosen:
            metadata = _of_feed(result, name, chosen) | _of_run(result.stream, progress)
            feed = declared.feeds.get(name)
            if feed is not None:
                metadata |= table_metadata(
                    ecom_postgres.database, ecom_landing.settings, feed.table, feed.schema
                )
                if name not in result.unready:
                    with ecom_postgres.transaction() as connection:
                        rows = row_count(connection, FeedTable(feed), ecom_landing.settings.whole_check_rows)
                    metadata["dagster/row_count"] = rows
            yield dg.MaterializeResult(asset_key=name, metadata=metadata)

    return load


def _specs(declared: DeclaredFeeds, upstream: Mapping[str, Sequence[str]]) -> list[dg.AssetSpec]:
    return [
        _spec(feed, upstream.get(name, ()))
        if feed is not None
        else _broken(name, declared.catalog.problems[name])
        for name, feed in ((name, declared.feeds.get(name)) for name in declared.names)
    ]


def _spec(feed: Feed, upstream: Sequence[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        feed.name,
        deps=list(upstream),
        description=feed.about + _HOW,
        metadata={"dagster/column_schema": table_schema(feed), **table_name(feed.table, feed.schema)},
        code_version=declaration_hash(feed)[:12],
        freshness_policy=_freshness(feed),
        owners=list(feed.owners) or OWNERS,
        group_name=GROUP,
        kinds={"spark", "postgres"},
        tags=FEED_TAG,
    )


def _broken(name: str, error: FeedError) -> dg.AssetSpec:
    """What stands for a feed whose declaration has a mistake: it breaks its own asset, not the location.

    A run says of it that it was not loaded, or loads it where the mistake was mended since.
    """
    return dg.AssetSpec(
        name,
        description=f"**Its declaration cannot be used.** {error.message}\n\n{error.remedy}",
        owners=OWNERS,
        group_name=GROUP,
        kinds={"spark", "postgres"},
        tags=FEED_TAG,
    )


def _freshness(feed: Feed) -> dg.FreshnessPolicy | None:
    window = freshness_window(feed)
    return None if window is None else dg.FreshnessPolicy.time_window(fail_window=window)


def _of_spark(stream: StreamResult) -> list[Metric]:
    latencies = [stream.latency(quantile) for quantile in QUANTILES]
    return [*latency_metrics(stream.latencies, latencies), *executor_metrics(stream.executor_use)]


def _of_feed(result: IngestResult, name: str, chosen: Sequence[str]) -> dict[str, Any]:
    """What became of the feed's files in this run."""
    totals = result.by_feed.get(name, ledger.Totals())
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
        "files_unsettled": sum(feed_of(unsettled) == name for unsettled in result.unsettled),
    }
    # An entry that is of none of them has to be shown somewhere.
    refused = {
        entry: reason
        for entry, reason in result.refused.items()
        if (_feed_of_entry(entry, chosen) or chosen[0]) == name
    }
    if refused:
        metadata["refused"] = dg.MetadataValue.json(refused)
    if result.waiting and name == chosen[0]:
        metadata["waiting"] = dg.MetadataValue.json(result.waiting)
    # What is of no feed that is an asset here, such as a damaged file at the top, is shown at the first too.
    quarantined = {
        file: why
        for file, why in result.quarantined.items()
        if (feed_of(file) if feed_of(file) in chosen else chosen[0]) == name
    }
    if quarantined:
        metadata["quarantined"] = dg.MetadataValue.json(quarantined)
    if name in result.unready:
        metadata["not_loaded"] = result.unready[name]
    return metadata


def _feed_of_entry(entry: str, chosen: Sequence[str]) -> str | None:
    """The feed that an entry of the landing folder is of: the folder of a feed, or what is in one."""
    return next((feed for feed in (entry, feed_of(entry)) if feed in chosen), None)


def _of_run(stream: StreamResult, progress: ledger.RunProgress) -> dict[str, Any]:
    """How the run went as a whole: all of its feeds are loaded in one stream."""
    metadata: dict[str, Any] = {
        "batches": stream.batches,
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(progress.rows_per_second),
        "python_worker_peak_mib": round(stream.worker_peak_bytes / 2**20),
    }
    for label, quantile in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        latency = stream.latency(quantile)
        if latency is not None:
            metadata[f"latency_{label}_seconds"] = round(latency, 3)
    if stream.batches:
        # Which executors did the work, and the name by which Spark's own pages know it.
        metadata["spark_application"] = stream.application
        metadata["executors"] = dg.MetadataValue.json(dict(stream.executors))
    return metadata
