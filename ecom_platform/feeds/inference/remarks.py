"""What is said of a draft as a whole, beside what its columns say.

Belongs here: remarks on times, keys and texts for no value that concern several columns. Does not belong
here: remarks on one column (``column_choice``), or on how the file was read (``files.drafting``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ecom_platform.feeds.inference.column_choice import Choice
from ecom_platform.feeds.inference.draft import Draft, DraftColumn
from ecom_platform.feeds.inference.key_candidates import Keys

_MOST_CANDIDATES = 5
# Fewer rows do not show what a column may have one day.
_ENOUGH_ROWS = 1_000
# What numbers are called that are codes, and have letters in them some day; and what is counted or measured.
_CODE_NAME = re.compile(
    r"code|number|invoice|order|sku|zip|postal|plz|article|product|phone|gtin|ean|barcode"
    r"|(^|_)(no|nr|num)(_|$)"
)
_MEASURE_NAME = re.compile(
    r"count|qty|quantity|amount|price|total|sum|value|tax|discount|hour|day|week|month|year|dow|time|number_of"
)


def about_times(
    choices: Sequence[Choice], drawn: Sequence[DraftColumn], said: Collection[str] = ()
) -> tuple[str, ...]:
    """What the times do not say; ``said``: words of the feed that somebody has set."""
    doubts = []
    local = [c.column.name for c, d in zip(choices, drawn, strict=True) if c.local and "zone" not in d.said]
    if local:
        doubts.append(
            f"no value of {', '.join(local)} says a time zone, so it is UTC; for local times add "
            "`zone: Europe/Berlin` or the like"
        )
    times = [c.column for c in choices if c.column.type == "timestamptz" and not c.column.nullable]
    if len(times) == 1 and "roles" not in said:
        doubts.append(
            f"if {times[0].name} is when a row happened, `roles: {{time: {times[0].name}}}` keeps a large "
            "table fast; it can be said before the first load only"
        )
    return tuple(doubts)


def about_keys(keys: Keys, rows: int, names: Sequence[str]) -> Iterator[str]:
    """Which rows are copies, and which columns may be the key; ``names`` by their places in the file."""
    if keys.copies:
        verb = "is equal to one before it: it" if keys.copies == 1 else "are equal to one before them: each"
        yield f"{keys.copies:,} of {rows:,} rows {verb} is a row all the same"
    if keys.proven is not None:
        yield (
            f"{names[keys.proven]} has a value of its own in each of {rows:,} rows: it is the key, and a row "
            "with the key of another and other content is refused (`on_conflict`)"
        )
    elif keys.candidates:
        listed = "; ".join(
            ", ".join(names[place] for place in places) for places in keys.candidates[:_MOST_CANDIDATES]
        )
        yield (
            f"no two rows share a value of: {listed}. If one is the key, and its rows do not change: "
            "`primary_key: …`"
        )


def about_few_rows(draft: Draft, rows: int, key: Collection[str]) -> Iterator[str]:
    """What the next file may have that few rows do not show; columns of the ``key`` may never be null."""
    if not rows:
        yield "no row was read, so nothing says what the columns are: take a file with rows, or write types"
        return
    if rows >= _ENOUGH_ROWS:
        return
    unsaid = [c.column for c in draft.columns if "type" not in c.said]
    codes = [c.name for c in unsaid if c.type in ("integer", "bigint") and _is_code(c.name)]
    filled = [c.name for c in unsaid if not c.nullable and c.name not in key]
    wider = [
        *([f"text for codes ({_some(codes)})"] if codes else []),
        *([f'" null" for what may be empty one day ({_filled(filled, draft)})'] if filled else []),
    ]
    if wider:
        read = "row was" if rows == 1 else "rows were"
        yield f"only {rows:,} {read} read: before the first load, consider {', and '.join(wider)}"


def _is_code(name: str) -> bool:
    return bool(_CODE_NAME.search(name)) and not _MEASURE_NAME.search(name)


def _filled(names: Sequence[str], draft: Draft) -> str:
    if len(names) <= _MOST_CANDIDATES:
        return _some(names)
    every = len(names) == len(draft.columns)
    return (
        f"{'all' if every else f'{len(names):,} of the'} {len(draft.columns):,} columns are filled throughout"
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - 2 * _MOST_CANDIDATES
    return ", ".join(names[: 2 * _MOST_CANDIDATES]) + (f" and {more:,} more" if more > 0 else "")


def common_nulls(draft: Draft) -> Draft:
    """Texts for no value that columns have in common said once, where that takes no column a value."""
    kinds = Counter(column.column.nulls for column in draft.columns)
    usual = {nulls for nulls in kinds if nulls != ("",)}
    if len(usual) != 1 or kinds[next(iter(usual))] < 2:
        return draft
    nulls = usual.pop()
    if any(c.column.type == "text" and c.column.nulls == ("",) for c in draft.columns):
        return draft
    columns = tuple(replace(c, column=replace(c.column, nulls=nulls)) for c in draft.columns)
    return replace(draft, nulls=nulls, columns=columns)
