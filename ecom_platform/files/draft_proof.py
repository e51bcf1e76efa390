"""The proof that a declaration loads every row that was read, and what is done where it does not.

Belongs here: reading rows as they will be read when they are loaded, and taking a wider type for what is
refused. Does not belong here: the first choice of types (``feeds.inference``).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ecom_platform.catalog import RESERVED
from ecom_platform.errors import DeclarationError, UsageError, sentence
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.expectations import expected_of
from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.inference.amounts import amount
from ecom_platform.feeds.inference.draft import Draft, one_line
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.samples import Sample

# Rounds of widening; after so many, whatever does not load becomes text at once.
_ROUNDS, _PATIENCE = 40, 3
_MOST_SHOWN = 60
_NARROWING = {
    "type",
    "time_format",
    "min",
    "max",
    "in",
    "match",
    "greater_than",
    "remove",
    "nulls",
    "zone",
    "fold",
}
_OTHERWISE = {Reason.AMBIGUOUS_TIME: "Say which of the two is meant: `--set fold=first` or `fold=second`."}

Source: TypeAlias = "Callable[[Feed], Iterator[tuple[BinaryIO, FileFacts]]]"


def sources(samples: Sequence[Sample], *, prove: bool) -> list[Source]:
    """Where rows are read from: what was read of a file, or with ``prove`` all of it."""
    return [of_file(s.path) if prove and not s.whole else _of_sample(s) for s in samples]


def _of_sample(sample: Sample) -> Source:
    def opened(_: Feed) -> Iterator[tuple[BinaryIO, FileFacts]]:
        yield io.BytesIO(sample.data), FileFacts(sample.encoding, b"")

    return opened


def of_file(path: Path) -> Source:
    """All rows of a file."""

    def opened(feed: Feed) -> Iterator[tuple[BinaryIO, FileFacts]]:
        facts = look_over(feed, path)
        with open_events(path.resolve()) as source:
            yield source.stream, facts

    return opened


class DraftProof:
    """Reads with a declaration what is there, until every row loads."""

    def __init__(self, unsplit: int, places: Sequence[Source]) -> None:
        """``unsplit``: how many records cannot be split, whatever their types."""
        self._unsplit, self._places = unsplit, places
        self._examples: dict[tuple[str | None, Reason], str] = {}
        self.rows = 0

    def widened(self, draft: Draft) -> tuple[Draft, Feed]:
        """The declaration that loads every row, and the feed that it declares."""
        for attempt in range(_ROUNDS):
            feed = _declared(draft)
            refused = self._refused(feed)
            by_column = {where: count for where, count in refused.items() if where[0] is not None}
            whole = sum(count for where, count in refused.items() if where[0] is None)
            if not by_column and (whole <= self._unsplit or attempt > _PATIENCE):
                return draft, feed
            if not by_column and Reason.UNDECLARED_KEY in {reason for _, reason in refused}:
                draft = replace(draft, words={**draft.words, "extra": "store"})
            elif not by_column:
                draft = _all_text(draft)
            self._require_unsaid(draft, feed, by_column)
            for (name, reason), count in by_column.items():
                draft = _wider(draft, name or "", reason, count, last=attempt >= _PATIENCE)
        raise UsageError(
            "No declaration was found that loads every row.", "Say more by `--set COLUMN.type=text`."
        )

    def _require_unsaid(
        self, draft: Draft, feed: Feed, refused: Mapping[tuple[str | None, Reason], int]
    ) -> None:
        """What somebody has said of a column is not widened."""
        for (name, reason), count in refused.items():
            said = next(drawn.said for drawn in draft.columns if drawn.column.name == name)
            if not _NARROWING & set(said):
                continue
            column = next(column for column in feed.columns if column.name == name)
            value = self._examples[name, reason]
            shown = f"{value[:_MOST_SHOWN]}…" if len(value) > _MOST_SHOWN else value
            expected = expected_of(column, feed.dialect, reason, value)
            rows = amount(count, "row does", "rows do")
            raise UsageError(
                f"As --set says it, {rows} not load: {name} {one_line(repr(shown))} {expected} ({reason}).",
                _OTHERWISE.get(reason, "Say it otherwise, or leave it out."),
            )

    def _refused(self, feed: Feed) -> Counter[tuple[str | None, Reason]]:
        # What rows are known by refuses none of them, and takes longer than the rest.
        decoder, now = decoder_of(replace(feed, identity=None)), datetime.now(UTC)
        found = Counter[tuple[str | None, Reason]]()
        self.rows = 0
        self._examples = {}
        for opener in self._places:
            for stream, facts in opener(feed):
                for chunk in decoder.decode(stream, facts, now):
                    self.rows += chunk.rows.num_rows
                    for reject in chunk.rejects:
                        found[reject.column, reject.reason] += 1
                        self._examples.setdefault((reject.column, reject.reason), reject.value or "")
        return found


def _declared(draft: Draft) -> Feed:
    """The feed of a draft. What is wrong with it can only be what somebody has said, of a file that is not
    there yet."""
    try:
        return read_feed(draft.text(), f"{draft.name}.yaml", draft.name, RESERVED)
    except DeclarationError as error:
        first, *others = error.problems
        more = "".join(f"\n{sentence(other.message)} {other.remedy}" for other in others)
        raise UsageError(f"As it was said, {sentence(first.message)}", f"{first.remedy}{more}") from error


def _wider(draft: Draft, name: str, reason: Reason, count: int, *, last: bool) -> Draft:
    """With a type of the column ``name`` that takes what was refused."""
    number = next(n for n, drawn in enumerate(draft.columns) if drawn.column.name == name)
    drawn = draft.columns[number]
    column, doubt = drawn.column, f"{amount(count, 'row was', 'rows were')} {reason} as {drawn.column.type}"
    if reason is Reason.EMPTY_VALUE:
        return draft.with_column(
            number, drawn.widened(replace(column, nullable=True), amount(count, "is empty", "are empty"))
        )
    if reason is Reason.MISSING_KEY:
        draft = replace(draft, words={**draft.words, "missing": "null"})
        return draft.with_column(
            number, drawn.widened(replace(column, nullable=True), amount(count, "is missing", "are missing"))
        )
    if reason is Reason.NESTED_VALUE:
        wider_column = replace(_as_text(column), type="jsonb")
        return draft.with_column(number, drawn.widened(wider_column, doubt))
    wider = {"integer": "bigint", "bigint": "numeric(38,0)"}.get(column.type)
    if reason is Reason.OUT_OF_RANGE and wider and not last:
        return draft.with_column(number, drawn.widened(replace(column, type=wider), doubt))
    too_narrow = reason in (Reason.TOO_MANY_DECIMALS, Reason.OUT_OF_RANGE)
    if too_narrow and column.type.startswith("numeric") and column.type != "numeric(38,12)" and not last:
        return draft.with_column(number, drawn.widened(replace(column, type="numeric(38,12)"), doubt))
    return draft.with_column(number, drawn.widened(_as_text(column), doubt))


def _as_text(column: Column) -> Column:
    return replace(
        column, type="text", time_formats=("iso",), trim=False, remove="", nulls=("",), nullable=True
    )


def _all_text(draft: Draft) -> Draft:
    """Where a line within a field looks like a row, its record is refused; to texts alone none does."""
    doubt = "text, since lines within fields look like rows of the file otherwise"
    return replace(
        draft,
        columns=tuple(
            c
            if c.column.type == "text"
            else c.widened(replace(_as_text(c.column), nullable=c.column.nullable), doubt)
            for c in draft.columns
        ),
    )
