"""The values of one column of a file, each once, with how often it occurs.

Belongs here: what can be asked of them. Does not belong here: what follows for the column
(``column_choice``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_types import column_type_of

# Texts that stand for no value where the others of their column are of a type that they are not of.
NULL_WORDS = (
    *("NA", "N/A", "n/a", "NULL", "null", "Null", "None", "none", "NaN", "nan", "nil", "\\N", "#N/A"),
    *("-", "--", "?", ".", "(null)", "0000-00-00", "0000-00-00 00:00:00"),
)
_ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """``name`` as the file has it, ``place`` from 0; ``values`` are different texts without the empty one,
    ``counts`` how often each occurs, ``empty`` how many rows have none, ``rows`` how many there are."""

    name: str
    place: int
    values: pa.StringArray
    counts: pa.Array
    empty: int
    rows: int

    @classmethod
    def of(cls, name: str, place: int, texts: pa.ChunkedArray) -> Observed:
        """All the texts of a column, none of them null."""
        counted = pc.value_counts(texts)
        values, counts = counted.field("values"), counted.field("counts")
        filled = pc.match_substring_regex(values, "(?s).")
        empty = pc.sum(pc.filter(counts, pc.invert(filled))).as_py() or 0
        return cls(name, place, pc.filter(values, filled), pc.filter(counts, filled), empty, len(texts))

    @property
    def different(self) -> int:
        return len(self.values)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return not self.empty and self.different == self.rows

    def null_words(self) -> tuple[str, ...]:
        """Which of the texts that usually stand for no value occur."""
        found = set(pc.filter(self.values, pc.is_in(self.values, arrow.strings(NULL_WORDS))).to_pylist())
        return tuple(word for word in NULL_WORDS if word in found)

    def without(self, texts: Collection[str]) -> Observed:
        """Rows with these texts are counted as empty."""
        there = pc.is_in(self.values, arrow.strings([*texts]))
        gone = pc.sum(pc.filter(self.counts, there)).as_py() or 0
        kept = pc.invert(there)
        return Observed(
            self.name,
            self.place,
            pc.filter(self.values, kept),
            pc.filter(self.counts, kept),
            self.empty + gone,
            self.rows,
        )

    def trimmed(self) -> Observed:
        """With values that have no blanks around them; what was nothing else is empty then."""
        values = pc.utf8_trim(self.values, " ")
        bare = Observed(self.name, self.place, values, self.counts, self.empty, self.rows)
        return bare.without([""])

    def all_match(self, pattern: str) -> bool:
        """Whether the regular expression (RE2) matches each value as a whole."""
        return bool(pc.all(pc.match_substring_regex(self.values, rf"\A(?:{pattern})\z")).as_py())

    def any_matches(self, pattern: str) -> bool:
        """Whether it matches a part of at least one."""
        return bool(pc.any(pc.match_substring_regex(self.values, pattern)).as_py())

    def are_read_by(self, column: Column, dialect: Dialect) -> bool:
        """Whether every value is one of ``column``'s type, by the code that will load it."""
        kind = column_type_of(column, dialect)
        _, right = kind.convert(Places.of(self.values), _ANY_TIME)
        left = self.values.filter(arrow.booleans(~right)) if not right.all() else self.values[:0]
        return all(not isinstance(kind.parse(text, _ANY_TIME), Reason) for text in left.to_pylist())
