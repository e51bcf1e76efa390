"""What is said of a draft as a whole, beside what its columns say.

Belongs here: remarks on times, keys and texts for no value that concern several columns. Does not belong
here: remarks on one column (``column_choice``), or on how the file was read (``files.drafting``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ecom_platform.feeds.inference.column_choice import Choice
from ecom_platform.feeds.inference.draft import Draft, DraftColumn
from ecom_platform.feeds.inference.key_candidates import Keys

_MOST_CANDIDATES = 5


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
        yield f"{keys.copies:,} of {rows:,} rows are equal to one before them: each is a row all the same"
    if keys.proven is not None:
        yield (
            f"{names[keys.proven]} has a value of its own in each of {rows:,} rows: it is the key, and a row "
            "with the key of another and other content is refused (`on_conflict`)"
        )
    elif keys.candidates:
        listed = "; ".join(
            ", ".join(names[place] for place in places) for places in keys.candidates[:_MOST_CANDIDATES]
        )
        yield f"no two rows share a value of: {listed}. If one is the key: `primary_key: …`"


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
