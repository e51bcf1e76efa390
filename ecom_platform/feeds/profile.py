"""What the rows of one file are like: how many values are null, how often each listed value occurs.

Belongs here: counting it from typed rows, adding it up, its form as JSON. Does not belong here: what is
unusual about it (``usual``), or storing it (``store``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.feed import Feed


@dataclass(slots=True)
class Profile:
    """Counts over the rows of a file that were as declared, known ones among them.

    ``nulls``: by column that may be null, rows without a value. ``values``: by column with a list of values
    (``in``), rows with each.
    """

    rows: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, feed: Feed, rows: pa.RecordBatch) -> None:
        """Count typed rows of the feed, whose columns go by the names of the table."""
        self.rows += rows.num_rows
        for column in feed.columns:
            values = rows.column(column.name)
            if column.nullable:
                self.nulls[column.name] += values.null_count
            if column.values:
                counted = self.values.setdefault(column.name, Counter())
                for value, count in zip(*_counted(values), strict=True):
                    if value is not None:
                        counted[str(value)] += count

    def to_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rows": self.rows,
            "nulls": dict(self.nulls),
            "values": {k: dict(v) for k, v in self.values.items()},
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Profile:
        """What :meth:`to_data` has made."""
        values = {name: Counter(counts) for name, counts in data["values"].items()}
        return cls(data["rows"], Counter(data["nulls"]), values)


def _counted(values: pa.Array) -> tuple[list[Any], list[int]]:
    counted = pc.value_counts(values)
    return counted.field("values").to_pylist(), counted.field("counts").to_pylist()
