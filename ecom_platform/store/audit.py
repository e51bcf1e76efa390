"""What the tables say about themselves: the evidence behind the asset checks and the audit.

Belongs here: questions to the database whose answer is a :class:`Finding`, an expectation beside
what was found. Does not belong here: Dagster, which shows findings as check results, or repairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import DataError, ProgrammingError
from psycopg.errors import QueryCanceled, ReadOnlySqlTransaction, SerializationFailure

from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.row_conditions import RowCondition, RuleKind, row_conditions
from ecom_platform.store.scope import Look, looking, stored_rows
from ecom_platform.store.statements import queries, text

# A finding names at most this many files; the count is always the whole one.
NAMED_FILES = 20
# What a question ends in whose table was altered, dropped or taken away.
UNANSWERABLE = (DataError, ProgrammingError)
# How often a look that also writes is begun anew because of somebody else's writing.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation held against the data. ``details`` says where, when it does not hold."""

    check: str
    passed: bool
    expected: int | float | str
    found: int | float | str
    description: str
    details: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DuplicateAudit:
    """Rows and distinct ids of the table; duplicates that came in, by cause, over all files."""

    rows: int
    distinct_ids: int
    duplicates_within_file: int
    duplicates_across_files: int
    duplicates_redropped_file: int
    id_conflicts: int


def record_duplicate_audit(
    database: Database, table: FeedTable, run_id: str, *, whole_up_to: int | None = None
) -> DuplicateAudit:
    """Count, store the counts as a row of ``duplicate_audit``, and return them.

    Of a table that is not looked at as a whole (``scope``) the rows are counted; that their ids are
    distinct is taken from the unique index, if it is there.
    """
    with looking(database, "duplicate_audit", table, whole_up_to=whole_up_to) as look:
        if look.scope.whole or not _is_unique(look.connection, table):
            rows, distinct = _key_counts(look.connection, table)
        else:
            rows = distinct = stored_rows(look.connection, table)
        row = queries("audit").record_audit(
            look.connection, run_id=run_id, feed=table.feed.name, rows=rows, distinct_ids=distinct
        )
        look.found_right(rows == distinct)
    return DuplicateAudit(*(int(value) for value in row))


def of_all_feeds(findings: Sequence[tuple[str, Finding]]) -> Finding:
    """One finding of the same check over several feeds, each with its name; the first one's where all is
    well."""
    (_, first), *_ = findings
    failed = [(feed, finding) for feed, finding in findings if not finding.passed]
    if not failed or [finding for _, finding in failed] == [first]:
        return first
    details: dict[str, str | int] = {}
    for feed, finding in failed:
        details |= {f"{feed}: {key}": value for key, value in finding.details.items()}
    return replace(
        first,
        passed=False,
        expected=failed[0][1].expected,
        found="; ".join(f"{feed}: {finding.found}" for feed, finding in failed),
        details=details,
    )


def unanswered(check: str, error: Exception) -> Finding:
    """What a check says that could not be asked (:data:`UNANSWERABLE`): that is no pass."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Finding(
        check, False, "an answer", f"none, since the table is not as declared: {reason}", "It can be asked."
    )


def all_declared(check: str, applied: Iterable[str], declared: Collection[str]) -> Finding:
    """Every feed that has a table has a declaration that can be used."""
    missing = sorted(set(applied) - set(declared))
    expected = "a declaration of every feed that has a table"
    return Finding(
        check,
        not missing,
        expected,
        f"none that can be used of {', '.join(missing)}" if missing else expected,
        "A feed whose declaration is gone or wrong is not loaded, and says so.",
    )


def _is_unique(connection: Connection, table: FeedTable) -> bool:
    """Whether a valid unique index on the key promises that no row is there twice."""
    row = connection.execute(table.query("unique_index", "checks")).fetchone()
    return row is not None and bool(row[0])


def _key_counts(connection: Connection, table: FeedTable) -> tuple[int, int]:
    """Rows and distinct keys, counted."""
    row = connection.execute(table.query("id_counts", "checks")).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def newest_audit(connection: Connection, feed: str) -> Finding:
    """The newest audit found no duplicate in the table."""
    row = queries("audit").newest_audit(connection, feed=feed)
    rows, distinct = (0, 0) if row is None else (row[0], row[1])
    return Finding(
        "audit_finds_no_duplicates",
        row is not None and rows == distinct,
        "an audit" if row is None else f"{rows} distinct ids",
        "no audit yet" if row is None else f"{distinct} distinct ids",
        "As many distinct ids as rows, by the newest audit.",
        {} if row is None else {"audited_at": f"{row[2]:%Y-%m-%d %H:%M:%S} UTC"},
    )


@dataclass(frozen=True, slots=True)
class RowRules:
    """Some rules of a feed's rows under one name; ``description`` says what breaks them."""

    check: str
    description: str
    kinds: frozenset[RuleKind]
    # Of these columns; all where there are none.
    columns: tuple[str, ...] = ()

    def covers(self, condition: RowCondition) -> bool:
        return condition.kind in self.kinds and (not self.columns or condition.column in self.columns)


def row_rules(
    database: Database, table: FeedTable, rules: Iterable[RowRules], *, whole_up_to: int | None = None
) -> list[Finding]:
    """Every rule about a single row, in one pass over the table or what changed of it (``scope``); then the
    declaration's own checks, by their names."""
    conditions = row_conditions(table.feed)
    with looking(database, "row_rules", table, whole_up_to=whole_up_to) as look:
        look.define_views()
        rows, *broken = look.connection.execute(table.query("row_rules", "checks")).fetchone() or (0,)
        counts = list(zip(conditions, broken, strict=True))
        findings = [
            _judge_rows(rule, [(c, n) for c, n in counts if rule.covers(c)], rows, look.scope.details())
            for rule in rules
        ]
        findings += [_declared_check(look, *check) for check in table.feed.checks.items()]
        look.found_right(all(finding.passed for finding in findings))
    return findings


def _declared_check(look: Look, name: str, expression: str) -> Finding:
    """Rows for which somebody's SQL about one row is false; it may read, one statement, for a while."""
    counted = text("checks", "declared_check").replace("{expression}", expression).encode()
    expected = f"no row for which this is false: {expression}"
    try:
        with look.connection.transaction():
            queries("scope").only_read(look.connection)
            # Prepared, it is one statement: nothing can follow it.
            rows, false = look.connection.execute(counted, prepare=True).fetchone() or (0, 0)
    except (*UNANSWERABLE, QueryCanceled, ReadOnlySqlTransaction) as error:
        return unanswered(name, error)
    details = {"rows_looked_at": rows, **look.scope.details()}
    return Finding(name, false == 0, expected, f"{false} rows", "What the declaration asks.", details)


def _judge_rows(
    rule: RowRules, broken: Sequence[tuple[RowCondition, int]], rows: int, scope: Mapping[str, str | int]
) -> Finding:
    by_column: Counter[str] = Counter()
    for condition, count in broken:
        by_column[condition.column] += count
    total = sum(by_column.values())
    named = {column: count for column, count in by_column.items() if len(by_column) > 1}
    what = rule.description
    expected = f"no {what[0].lower()}{what[1:].removesuffix('.')}"
    return Finding(
        rule.check, total == 0, expected, f"{total} rows", what, {"rows_looked_at": rows, **scope, **named}
    )


def unique_check(table: FeedTable) -> str:
    """The name of :func:`unique_key` for the table: that of its key, where it is one column."""
    return f"{table.key[0]}_is_unique" if len(table.key) == 1 else "key_is_unique"


def unique_key(connection: Connection, table: FeedTable) -> Finding:
    """The key is unique: promised by a valid index over every row.

    Where the promise is there, PostgreSQL keeps it with every row, and counting is the audit's part;
    where it is gone, the data are counted here, to say how many rows are there twice.
    """
    check, expected = unique_check(table), "a valid unique index"
    description = "No row is stored twice: the constraint is in place."
    if _is_unique(connection, table):
        return Finding(check, True, expected, expected, description)
    rows, distinct = _key_counts(connection, table)
    found = f"no valid unique index, and {rows - distinct} rows too many"
    return Finding(
        check,
        False,
        expected,
        found,
        description,
        {"rows": rows, "rows_too_many": rows - distinct},
    )


def counts_reconcile(connection: Connection, feed: str | None = None) -> Finding:
    """``read = inserted + duplicate + rejected`` for every file and in total; of one feed, or of all."""
    unbalanced = list(queries("checks").unbalanced_files(connection, feed=feed))
    files, read, inserted, duplicate, rejected, reject_rows = queries("checks").ledger_sums(
        connection, feed=feed
    )
    accounted = inserted + duplicate + rejected
    return Finding(
        "counts_reconcile",
        not unbalanced and read == accounted,
        f"{read} rows read",
        f"{accounted} rows accounted for",
        "Every row that was read is inserted, a duplicate or rejected; per file and in total.",
        {
            "files": files,
            "rows_inserted": inserted,
            "rows_duplicate": duplicate,
            "rows_rejected": rejected,
            "rejected_rows_kept": reject_rows,
            **named((name, f"{found} of {expected}") for _, name, expected, found in unbalanced),
        },
    )


def table_matches_ledger(database: Database, table: FeedTable, *, whole_up_to: int | None = None) -> Finding:
    """The table holds, file by file, what the ledger says was inserted and rejected.

    Of a table that is not looked at as a whole (``scope``): the files whose rows changed. The ledger follows
    the rows first: what a file lost and another one brought back is written down.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(SerializationFailure):  # a reject of such a file was replayed meanwhile
            return _table_matches_ledger(database, table, whole_up_to)
    return _table_matches_ledger(database, table, whole_up_to)


def _table_matches_ledger(database: Database, table: FeedTable, whole_up_to: int | None) -> Finding:
    with looking(database, "table_matches_ledger", table, whole_up_to=whole_up_to) as look:
        look.define_views()
        lost = look.connection.execute(table.query("any_lost", "checks")).fetchone()
        if lost is not None and lost[0]:
            name = "follow_lost_of_newer" if table.updates else "follow_lost"
            look.connection.execute(table.query(name, "checks"))
        differing = list(look.connection.execute(table.query("files_that_differ", "checks")))
        differing += look.connection.execute(table.query("rejects_that_differ", "checks"))
        look.found_right(not differing)
    expected = "as many rows of every file as the ledger counts"
    return Finding(
        "table_matches_ledger",
        not differing,
        expected,
        _differing([(wanted, there) for _, _, wanted, there in differing]) if differing else expected,
        "Rows deleted or added behind the platform's back would show here, with the file they are of.",
        look.scope.details()
        | named(
            (f"{name} (file {file_id})", f"{there} of {wanted}") for file_id, name, wanted, there in differing
        ),
    )


def _differing(counts: list[tuple[int, int]]) -> str:
    """``counts``: how many rows of a file there should be, and how many there are."""
    missing = sum(max(wanted - there, 0) for wanted, there in counts)
    added = sum(max(there - wanted, 0) for wanted, there in counts)
    parts = [
        f"{number} rows {what}" for number, what in ((missing, "are missing"), (added, "too many")) if number
    ]
    return f"{len(counts)} {'file differs' if len(counts) == 1 else 'files differ'}: {', '.join(parts)}"


def few_rejects(connection: Connection, limit: float, feed: str | None = None) -> Finding:
    """Of the rows that the newest run read, of ``feed`` or of all, and of those of each of its files, at most
    a share of ``limit`` is rejected now."""
    (_, _, read, rejected), *files = queries("checks").newest_rejects(connection, limit=limit, feed=feed)
    found = f"{rejected} of {read} rows"
    if rejected <= limit * read and files:
        _, name, rows, bad = files[0]
        found += f", but {bad} of {rows} in {name}"
    return Finding(
        "few_rows_rejected",
        rejected <= limit * read and not files,
        f"at most {limit:.1%} of the rows rejected",
        found,
        "The files are what they should be, give or take a few rows.",
        {
            "rows_read": read,
            "rows_rejected": rejected,
            **named((f"{name} (file {number})", f"{bad} of {rows}") for number, name, rows, bad in files),
        },
    )


def freshness(connection: Connection, now: datetime, window: timedelta, feed: str | None = None) -> Finding:
    """The last file, of ``feed`` or of all, was loaded within ``window``."""
    newest: datetime | None = queries("checks").newest_load(connection, feed=feed)
    age = None if newest is None else now - newest
    return Finding(
        "loaded_recently",
        age is not None and age <= window,
        f"a file loaded within {str(window).removesuffix(', 0:00:00')}",
        "no file loaded yet" if newest is None else f"{newest.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Data keeps coming.",
        {} if age is None else {"age_seconds": int(age.total_seconds())},
    )


def named(entries: Iterable[tuple[str, Any]]) -> dict[str, str | int]:
    """The first files with what is wrong with each, as metadata."""
    listed = list(entries)
    named: dict[str, str | int] = {name: str(text) for name, text in listed[:NAMED_FILES]}
    if len(listed) > NAMED_FILES:
        named["more_files"] = len(listed) - NAMED_FILES
    return named
