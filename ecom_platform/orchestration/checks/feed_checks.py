"""The checks that every feed has: each promise about its table, held against the data.

Belongs here: which there are, what they say of themselves, one step for all feeds each, since a step costs
more than what it asks. Does not belong here: the questions (``store.audit``), or checks of the platform as a
whole (``platform_checks``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ecom_platform.catalog import catalog, packaged
from ecom_platform.feeds.limits import freshness_window, reject_share
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.settings import Settings
from ecom_platform.store import audit
from ecom_platform.store.audit import Finding, RowRules
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import applied_tables
from ecom_platform.store.row_conditions import RuleKind
from ecom_platform.store.usual_files import CHECK as USUAL_CHECK
from ecom_platform.store.usual_files import nothing_unusual
from ecom_platform.streaming.readiness import LOADABLE_CHECK, can_be_loaded

# What is said of a check here is what the UI shows under *About*: the promise, then what to do.
_WRITTEN_PAST_US = "\n\nIf it fails, rows were written past the platform, which would have refused them."
_SCOPE = (
    "\n\nOf a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at what changed "
    "since, and at the whole once a day."
)
_UNIQUE = (
    "No row is stored twice: the unique index that promises it is in place and valid.\n\nThe audit counts "
    "the data as well. If it fails, the primary key was dropped: restore it, after deleting what is there "
    "twice."
)
_RECONCILE = (
    "Every row that was read is accounted for, per file and in total.\n\nThat is, read = inserted + "
    "duplicate + rejected. If it fails, the ledger was changed by hand: restore it from a backup, then `ecom "
    "reconcile`."
)
_MATCHES = (
    "The table holds, file by file, what the ledger says was inserted, the rejects what was rejected.\n\n"
    "Rows that somebody deleted or added by hand show here, with the file they came from. If it fails, `ecom "
    "reload FILE…` brings deleted rows back. What another file brought back counts there.\n\nOf a table "
    "with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at the files whose rows came, went "
    "or were changed since, and at the whole, where added rows show too, once a day."
)
_FEW = (
    "Of the rows of the newest run, and of each of its files, no more were rejected than the feed's "
    "`reject_share` allows, or `ECOM_ALERT_REJECT_SHARE`.\n\nOnly a warning, since nothing is lost: `ecom "
    "rejects list` says why, `ecom rejects replay` loads them once they are right."
)
_USUAL = (
    "Each file of the newest run is like the 20 of its feed before it: rows, shares of duplicates, of "
    "refused rows, of nulls and of each listed value, hour of arrival.\n\nOnly a warning: the rows are as "
    "declared, and loaded. Ask whoever sends the files; if this is how they are from now on, it passes "
    "again by itself."
)
_RECENT = (
    "A file was loaded within the feed's `freshness`.\n\nOnly a warning, since a quiet day is no fault: ask "
    "whoever produces the files."
)
_DECLARED = (
    "A check of the declaration: of no row is it false.\n\n    {}\n\nThe rows are loaded all the same. A row "
    "for which it is null passes."
)
_LOADABLE = (
    "The declaration can be used, and the table is as it says.\n\nIf it fails, the feed's files stay where "
    "they are, and those of other feeds are loaded: the message names the file, the line and the remedy."
)
_AS_DECLARED = {
    RowRules(
        "rows_as_declared", "Rows that break a rule of the declaration.", frozenset(RuleKind)
    ): "Every stored row is as the declaration says: values that have to be there, lists, bounds."
}

Rules = Mapping[RowRules, str]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a check asks: the database, the settings, and up to how many rows it reads a whole table."""

    database: Database
    settings: Settings
    whole_up_to: int | None


# Of a feed, by its name; findings of checks that were not chosen are left out.
_Judge = Callable[[_Look, str], Iterable[Finding]]


def feed_checks(
    declared: DeclaredFeeds, named_rules: Mapping[str, Rules], step: Callable[[str], str] = str
) -> list[dg.AssetChecksDefinition]:
    """``named_rules``: by feed, rules about its rows under names of their own, and what each promises.
    ``step``: by its usual name, what a step is called."""
    rules = {name: named_rules.get(name, _AS_DECLARED) for name in declared.feeds}
    tables = declared.tables()

    def row_rules(look: _Look, name: str) -> Iterable[Finding]:
        return audit.row_rules(look.database, tables[name], rules[name], whole_up_to=look.whole_up_to)

    def unique_keys(look: _Look, name: str) -> Iterable[Finding]:
        with look.database.transaction() as connection:
            yield audit.unique_key(connection, tables[name])

    def counts(look: _Look, name: str) -> Iterable[Finding]:
        with look.database.transaction() as connection:
            yield audit.counts_reconcile(connection, name)

    def matches(look: _Look, name: str) -> Iterable[Finding]:
        found = audit.table_matches_ledger(look.database, tables[name], whole_up_to=look.whole_up_to)
        yield _all_declared(look, name, found) if dg.AssetKey(name) == declared.first else found

    def few_rejects(look: _Look, name: str) -> Iterable[Finding]:
        said = reject_share(declared.feeds[name])
        limit = look.settings.alerts.reject_share if said is None else said
        with look.database.transaction() as connection:
            yield audit.few_rejects(connection, limit, name)

    def usual(look: _Look, name: str) -> Iterable[Finding]:
        with look.database.transaction() as connection:
            yield nothing_unusual(connection, name)

    def recent(look: _Look, name: str) -> Iterable[Finding]:
        with look.database.transaction() as connection:
            found = audit.freshness(connection, datetime.now(UTC), windows[name], name)
        # Who has not declared it and never loaded a file of it does not miss one.
        unused = name in packaged() and not found.details
        yield replace(found, passed=True) if unused else found

    def loadable(look: _Look, name: str) -> Iterable[Finding]:
        yield can_be_loaded(look.settings, look.database, name)

    windows = {name: w for name, feed in declared.feeds.items() if (w := freshness_window(feed)) is not None}
    by_rule = {
        name: {rule.check: text + _WRITTEN_PAST_US + _SCOPE for rule, text in rules[name].items()}
        | {check: _DECLARED.format(sql) + _SCOPE for check, sql in feed.checks.items()}
        for name, feed in declared.feeds.items()
    }
    unique = {name: {audit.unique_check(table): _UNIQUE} for name, table in tables.items()}
    # What the package brings is held by the migrations and by its own tests.
    theirs = [name for name in declared.names if name not in packaged()]
    # By step: the checks of each feed, who judges, and whether they only warn.
    steps: dict[str, tuple[Mapping[str, Mapping[str, str]], _Judge, bool]] = {
        "row_rules": (by_rule, row_rules, False),
        "unique_keys": (unique, unique_keys, False),
        "counts": (_each(tables, "counts_reconcile", _RECONCILE), counts, False),
        "matches": (_each(tables, "table_matches_ledger", _MATCHES), matches, False),
        "rejects": (_each(tables, "few_rows_rejected", _FEW), few_rejects, True),
        "usual": (_each(tables, USUAL_CHECK, _USUAL), usual, True),
        "recent": (_each(windows, "loaded_recently", _RECENT), recent, True),
        "loadable": (_each(theirs, LOADABLE_CHECK, _LOADABLE), loadable, False),
    }
    return [
        _of_feeds(step(name), named, judge, declared, warn=warn)
        for name, (named, judge, warn) in steps.items()
        if any(named.values())
    ]


def _each(feeds: Iterable[str], check: str, description: str) -> dict[str, dict[str, str]]:
    return {name: {check: description} for name in feeds}


def _of_feeds(
    step: str,
    named: Mapping[str, Mapping[str, str]],
    judge: _Judge,
    declared: DeclaredFeeds,
    *,
    warn: bool = False,
) -> dg.AssetChecksDefinition:
    """The same checks of several feeds in one step. ``named``: by feed and check, what it promises."""
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR

    @dg.multi_asset_check(
        name=step,
        specs=[
            dg.AssetCheckSpec(check, asset=name, description=text)
            for name, checks in named.items()
            for check, text in checks.items()
        ],
        can_subset=True,
    )
    def look(
        context: dg.AssetCheckExecutionContext,
        ecom_postgres: PostgresResource,
        ecom_landing: LandingZoneResource,
    ) -> Iterator[Any]:
        settings = ecom_landing.settings
        limit = whole_up_to(context.run, settings, declared)
        chosen = {(key.asset_key.to_user_string(), key.name) for key in context.selected_asset_check_keys}
        for name in named:
            if not any(feed == name for feed, _ in chosen):
                continue
            try:
                findings = list(judge(_Look(ecom_postgres.database, settings, limit), name))
            except audit.UNANSWERABLE as error:  # of this feed; the others are judged all the same
                findings = [audit.unanswered(check, error) for check in named[name]]
            for finding in findings:
                if (name, finding.check) in chosen:
                    yield check_result(finding, severity, asset=name)

    return look


def _all_declared(look: _Look, name: str, found: Finding) -> Finding:
    """Joined to the finding of ``name``, the first feed: that each feed with a table is still declared."""
    with look.database.open() as connection:
        applied = [table.feed.name for table in applied_tables(connection)]
    declared = audit.all_declared(found.check, applied, catalog(look.settings).feeds)
    return audit.of_all_feeds([(name, found), ("declarations", declared)])
