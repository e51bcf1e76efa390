"""The asset ``raw_events``: CSV files of generated events where files land; and its checks, before and after
they are loaded."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from ecom_platform.landing.landing_zone import verify
from ecom_platform.orchestration.metadata import GROUP, OWNERS, check_result, file_schema
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.orchestration.times import utc
from ecom_platform.settings import DEFAULT_EVENTS
from ecom_platform.shop import findings, generations
from ecom_platform.shop.event import FEED, USER_EVENTS
from ecom_platform.shop.generated_files import count_records, let_land
from ecom_platform.shop.generations import Generation, require_shop
from ecom_platform.shop.generator import GeneratorConfig, WrittenFile, generate_tables
from ecom_platform.store.metrics import Metric, record


class RawEventsConfig(dg.Config):
    """What to generate. The seed and the time of a run are recorded, so that it can be repeated."""

    events: int = Field(default=DEFAULT_EVENTS, gt=0, description="How many events to generate.")
    seed: int | None = Field(
        default=None, ge=0, description="Same seed and as_of, same bytes; empty: a fresh one."
    )
    as_of: str | None = Field(
        default=None, description="End of the 90 days the events lie in, ISO 8601, UTC; empty: now."
    )
    rows_per_file: int | None = Field(
        default=None, gt=0, description="Empty: ECOM_ROWS_PER_FILE, else 1,000."
    )
    users: int = Field(default=1_000, gt=0, description="Visitors are numbered from 1 to this.")


def _generator(config: RawEventsConfig, default_rows: int, now: datetime) -> GeneratorConfig:
    return GeneratorConfig(
        seed=secrets.randbits(32) if config.seed is None else config.seed,
        as_of=now if config.as_of is None else utc("as_of", config.as_of),
        events=config.events,
        rows_per_file=config.rows_per_file or default_rows,
        users=config.users,
    )


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "csv"},
    code_version="1",
    metadata={"dagster/column_schema": file_schema(FEED)},
)
def raw_events(
    context: dg.AssetExecutionContext,
    config: RawEventsConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
) -> dg.MaterializeResult[None]:
    """CSV files of e-commerce events in the landing folder (or bucket), 30,000 events unless told otherwise.

    Events are drawn from a seed: the same seed and as-of time give the same bytes, and both are below
    under *Metadata*. Visitors view, sometimes add to the cart, sometimes buy; a few products are much
    more popular than the others, and days have a rhythm. A file appears under its name only when it is
    complete.

    On a server of one's own (`ECOM_POSTGRES_URL`) nothing is generated unless `ECOM_SHOP=on`, so that no
    invented sale gets among the real ones: there the job `ingest` loads what has landed.

    To choose the number of events, the seed or the time: the arrow beside *Materialize*, *Open launchpad*.
    """
    require_shop(ecom_landing.settings, ecom_postgres.database)
    now = datetime.now(UTC)
    generator = _generator(config, ecom_landing.settings.rows_per_file, now)
    places = ecom_landing.places
    with ecom_postgres.transaction() as connection:
        verify(connection, places.zone)  # events for another database would never be loaded by this
    started = time.perf_counter()
    files = let_land(places, generator, now)
    seconds = time.perf_counter() - started
    with ecom_postgres.transaction() as connection:
        generations.record(connection, _generation(context.run_id, generator, files, seconds))
        record(connection, context.run_id, _metrics(generator.events, seconds))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": generator.events,
            "dagster/uri": places.uri,
            "files": len(files),
            "bytes": sum(file.bytes for file in files),
            "rows_per_file": generator.rows_per_file,
            "seed": generator.seed,
            "as_of": dg.MetadataValue.timestamp(generator.as_of),
            "first_file": files[0].name,
            "seconds": round(seconds, 3),
            "events_per_second": round(generator.events / seconds),
        }
    )


def _metrics(events: int, seconds: float) -> list[Metric]:
    return [
        Metric("generate_seconds", seconds, "s"),
        Metric("generate_rows_per_second", events / max(seconds, 1e-9), "rows/s"),
    ]


def _generation(
    run_id: str, generator: GeneratorConfig, files: list[WrittenFile], seconds: float
) -> Generation:
    return Generation(
        run_id=run_id,
        seed=generator.seed,
        as_of=generator.as_of,
        events=generator.events,
        rows_per_file=generator.rows_per_file,
        users=generator.users,
        days=generator.days,
        files=len(files),
        file_names=[file.name for file in files],
        seconds=seconds,
    )


@dg.asset_check(asset=raw_events, blocking=True)
def files_hold_generated_events(
    context: dg.AssetCheckExecutionContext, ecom_postgres: PostgresResource, ecom_landing: LandingZoneResource
) -> Any:
    """The files hold exactly as many events as were generated; nothing is loaded otherwise.

    If it fails, files were changed or removed before they were loaded: materialise again.
    """
    with ecom_postgres.transaction() as connection:
        generation = generations.latest(connection, context.run.run_id)
        counts = count_records(connection, ecom_landing.zone, generation.file_names) if generation else {}
    return check_result(findings.generated_files(generation, counts))


@dg.asset_check(asset=USER_EVENTS)
def generated_events_stored_once(
    context: dg.AssetCheckExecutionContext, ecom_postgres: PostgresResource
) -> Any:
    """Every generated event is in the table exactly once, whichever run loaded it.

    The events are drawn again from the recorded seed, so the answer does not rest on the files
    or on what the ledger says of them.

    If it fails, rows were deleted from the table, or given another id: `ecom reload FILE…` brings those of
    the files that are named with it back.
    """
    with ecom_postgres.transaction() as connection:
        generation = generations.latest(connection, context.run.run_id)
        return check_result(findings.stored_once(connection, _redraw(generation) if generation else ()))


def _redraw(generation: Generation) -> Iterator[tuple[str, Any]]:
    config = GeneratorConfig(
        seed=generation.seed,
        as_of=generation.as_of,
        events=generation.events,
        rows_per_file=generation.rows_per_file,
        users=generation.users,
        days=generation.days,
    )
    for name, table in zip(generation.file_names, generate_tables(config), strict=True):
        yield name, table["event_id"]
