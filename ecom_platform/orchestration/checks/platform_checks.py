"""Checks of the platform as a whole: what is on disk, the live mode, the newest audit.

Belongs here: which there are, and what they say of themselves. They are shown at the first feed, for want of
an asset of their own. Does not belong here: the questions, or what every feed has (``feed_checks``).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ecom_platform.catalog import catalog
from ecom_platform.landing.evidence import HAVE_A_FEED_CHECK, feed_finding
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.store import audit, live_status
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.feed_tables import applied_tables
from ecom_platform.store.half_read import no_line_half_read
from ecom_platform.store.live_status import ALIVE_CHECK

_ARCHIVE = (
    "The archive has of each loaded file as many bytes as were loaded.\n\n"
    "If it fails, a producer went on writing after its file had rested, and what came later is not in "
    "the table: `ecom reconcile` loads it. Raise `ECOM_SETTLE_SECONDS`, or let producers rename finished "
    "files into place. A file that is smaller was damaged in the archive: its rows are safe in the "
    "table, but it cannot be loaded again.\n\n"
    "Of more than 20,000 files a run that loads looks at those of the last day."
)
_HALF_READ = (
    "No row was stored from a line of which the rest came later.\n\n"
    "If it fails, a producer paused within a line, and its first half was a valid row. The whole line is "
    "refused as `id_conflict`. Set the row right, as the named line has it, with `ecom psql` (`UPDATE`); "
    "then `ecom rejects replay` closes the reject."
)
_DISK = (
    "The ledger knows every file that was claimed, archived or quarantined, and where it is.\n\n"
    "If it fails, PostgreSQL went back to an earlier state (a failover, a restored backup), it is another "
    "database than the files were loaded into, or somebody put files there. `ecom reconcile` lands the named "
    "files again, and loads them.\n\n"
    "Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at the days of the "
    "archive since the whole was found right, and at all of it once a day."
)
_ALIVE = (
    "A live process (`ecom stream`) that started and did not stop gracefully is there, and loads.\n\n"
    "Without one the check passes: files are then loaded by bounded runs. If it fails, start `ecom stream` "
    "again; it takes up what the last one left. To do without it from now on, start it and end it with "
    "Ctrl-C."
)
_HAVE_A_FEED = (
    "Every file at the top of the landing folder has the header of a declared feed.\n\n"
    "Only a warning, since all others are loaded. One that has not waits where it is. If it fails, the check "
    "says of each file what it looks like. `ecom feeds init FILE` writes a declaration; as soon as one takes "
    "the file, it is loaded. Or move it into the folder of its feed, or away."
)
_AUDITED = (
    "The newest audit of each feed counted as many distinct keys as rows.\n\n"
    "If it fails, so does the check of that feed that its key is unique: the primary key was dropped."
)


def platform_checks(declared: DeclaredFeeds, audited: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """``audited``: the asset of the audit."""
    asset = declared.first

    @dg.multi_asset_check(
        specs=[
            dg.AssetCheckSpec("archive_matches_ledger", asset=asset, description=_ARCHIVE),
            dg.AssetCheckSpec("no_line_half_read", asset=asset, description=_HALF_READ),
        ],
        can_subset=True,
    )
    def kept_files(
        context: dg.AssetCheckExecutionContext,
        ecom_postgres: PostgresResource,
        ecom_landing: LandingZoneResource,
    ) -> Iterator[Any]:
        """Both in one step."""
        selected = {key.name for key in context.selected_asset_check_keys}
        whole = whole_up_to(context.run, ecom_landing.settings, declared) is None
        with ecom_postgres.transaction() as connection:
            if "archive_matches_ledger" in selected:
                yield check_result(ecom_landing.inspection().archive_matches_ledger(connection, whole=whole))
            if "no_line_half_read" in selected:
                yield check_result(no_line_half_read(connection, _tables(connection, declared)))

    @dg.asset_check(asset=asset, description=_DISK)
    def disk_matches_ledger(
        context: dg.AssetCheckExecutionContext,
        ecom_postgres: PostgresResource,
        ecom_landing: LandingZoneResource,
    ) -> Any:
        limit = whole_up_to(context.run, ecom_landing.settings, declared)
        landing = ecom_landing.inspection()
        return check_result(landing.disk_matches_ledger(ecom_postgres.database, whole_up_to=limit))

    @dg.asset_check(asset=asset, name=ALIVE_CHECK, description=_ALIVE)
    def live_mode_is_alive(ecom_postgres: PostgresResource) -> Any:
        with ecom_postgres.transaction() as connection:
            return check_result(live_status.alive(live_status.newest(connection)))

    @dg.asset_check(asset=asset, name=HAVE_A_FEED_CHECK, description=_HAVE_A_FEED)
    def have_a_feed(ecom_landing: LandingZoneResource) -> Any:
        waiting = ecom_landing.inspection().without_feed(catalog(ecom_landing.settings).feeds)
        return check_result(feed_finding(waiting), dg.AssetCheckSeverity.WARN)

    @dg.asset_check(asset=audited, description=_AUDITED)
    def audit_finds_no_duplicates(ecom_postgres: PostgresResource) -> Any:
        with ecom_postgres.transaction() as connection:
            names = [table.feed.name for table in _tables(connection, declared)]
            findings = [(name, audit.newest_audit(connection, name)) for name in names]
        return check_result(audit.of_all_feeds(findings))

    return [kept_files, disk_matches_ledger, live_mode_is_alive, have_a_feed, audit_finds_no_duplicates]


def _tables(connection: Connection, declared: DeclaredFeeds) -> list[FeedTable]:
    """The tables that there are: of the first feed, whose table the migrations make, and of others."""
    return [next(iter(declared.tables().values())), *applied_tables(connection)]
