"""Checks of what is kept on disk: it agrees with the ledger."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ecom_platform.landing.archive_check import archive_matches_ledger, no_line_half_read
from ecom_platform.orchestration.assets.user_events import user_events
from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource

_SPECS = [
    dg.AssetCheckSpec(
        "archive_matches_ledger",
        asset=user_events,
        description="The archive has of each loaded file as many bytes as were loaded.\n\n"
        "If it fails, a producer went on writing after its file had rested, and what came later is not in "
        "the table: `ecom reconcile` loads it. Raise `ECOM_SETTLE_SECONDS`, or let producers rename finished "
        "files into place. A file that is smaller was damaged in the archive: its rows are safe in the "
        "table, but it cannot be loaded again.\n\n"
        "Of more than 20,000 files a run that loads looks at those of the last day.",
    ),
    dg.AssetCheckSpec(
        "no_line_half_read",
        asset=user_events,
        description="No row was stored from a line of which the rest came later.\n\n"
        "If it fails, a producer paused within a line, and its first half was a valid row. The whole line is "
        "refused as `id_conflict`. Set the row right, as the named line has it, with `ecom psql` (`UPDATE "
        "user_events SET … WHERE event_id = …`); then `ecom rejects replay` closes the reject.",
    ),
]


@dg.multi_asset_check(specs=_SPECS, can_subset=True)
def kept_files(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Iterator[Any]:
    """Both in one step."""
    selected = {key.name for key in context.selected_asset_check_keys}
    whole = whole_up_to(context.run, landing.settings) is None
    with postgres.transaction() as connection:
        if "archive_matches_ledger" in selected:
            yield check_result(archive_matches_ledger(connection, landing.zone, whole=whole))
        if "no_line_half_read" in selected:
            yield check_result(no_line_half_read(connection))
