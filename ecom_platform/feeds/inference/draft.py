"""A declaration in the making, and its YAML.

Belongs here: what is known so far, and writing it down with its doubts. Does not belong here: finding it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.inference.flow_yaml import as_said, scalar, scalars
from ecom_platform.feeds.words import MARKS

_WORDS_OF_MARKS = {mark: word for word, mark in MARKS.items()}


@dataclass(frozen=True, slots=True)
class DraftColumn:
    """``source`` is the name in the file, or ``None`` where names are not used. ``said`` are words that
    somebody has set, and that stand as they are."""

    column: Column
    source: str | None
    evidence: str
    doubts: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    def widened(self, column: Column, doubt: str) -> DraftColumn:
        """With a type that takes more, and why."""
        return replace(self, column=column, doubts=(*self.doubts, doubt))


@dataclass(frozen=True, slots=True)
class Draft:
    """``name`` is the feed's; ``encodings``, ``nulls`` and the rest are its words. ``key`` are names of
    columns, none where rows are known by their content. ``doubts`` are about the whole. ``words`` are those
    of formats that are no separated text."""

    name: str
    dialect: Dialect
    columns: tuple[DraftColumn, ...]
    nulls: tuple[str, ...] = ("",)
    key: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    def with_doubts(self, doubts: Iterable[str]) -> Draft:
        """With more that is said of the whole."""
        return replace(self, doubts=(*self.doubts, *doubts))

    def with_column(self, number: int, column: DraftColumn) -> Draft:
        """With another column in this place; one that may be null is no key."""
        columns = (*self.columns[:number], column, *self.columns[number + 1 :])
        key = () if column.column.nullable and column.column.name in self.key else self.key
        return replace(self, columns=columns, key=key)

    def text(self) -> str:
        """The YAML."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"# feeds/{self.name}.yaml, written by `ecom feeds init`; every word: docs/feed-reference.md"
        for doubt in self.doubts:
            yield f"# {one_line(doubt)}"
        for word, value in {**self.words, **dict(self._words()), **_feed_words(self.said)}.items():
            yield f"{word}: {value}"
        yield "columns:"
        for drawn in self.columns:
            words = dict(self._column_words(drawn))
            only_type = list(words) == ["type"] and "," not in words["type"]
            value = words["type"] if only_type else f"{{{', '.join(f'{w}: {v}' for w, v in words.items())}}}"
            yield f"  {drawn.column.name}: {value}  # {one_line(drawn.evidence)}"
            for doubt in drawn.doubts:
                yield f"    # ? {one_line(doubt)}"
        if not {"primary_key", "identity"} & set(self.said):
            yield f"primary_key: {scalars(self.key)}" if self.key else "identity: content"

    def _words(self) -> Iterator[tuple[str, str]]:
        dialect, usual = self.dialect, Dialect()
        for word in ("delimiter", "quote", "escape", "decimal", "thousands"):
            mark = getattr(dialect, word)
            if mark != getattr(usual, word):
                yield word, _WORDS_OF_MARKS.get(mark) or scalar(mark)
        if dialect.encodings != usual.encodings:
            yield "encoding", scalars(dialect.encodings)
        if self.nulls != ("",):
            yield "nulls", scalars(self.nulls)
        if not dialect.header:
            yield "header", "false"
        if dialect.skip:
            yield "skip", str(dialect.skip)

    def _column_words(self, drawn: DraftColumn) -> Iterator[tuple[str, str]]:
        column = drawn.column
        said = drawn.said
        if drawn.source is not None and drawn.source != column.name:
            yield "from", scalar(drawn.source)
        kind = said.get("type", column.type)
        nullable = column.nullable and not kind.endswith(" null")
        yield "type", scalar(f"{kind} null" if nullable else kind)
        if column.time_formats != ("iso",) and "time_format" not in said:
            yield "time_format", scalars(column.time_formats)
        if column.trim:
            yield "trim", "true"
        if column.remove:
            yield "remove", scalar(column.remove)
        if column.nulls != self.nulls and "nulls" not in said:
            yield "nulls", scalars(column.nulls)
        yield from ((word, as_said(word, value)) for word, value in said.items() if word != "type")


def _feed_words(said: Mapping[str, str]) -> dict[str, str]:
    return {word: as_said(word, value) for word, value in said.items()}


def one_line(text: str) -> str:
    """A text that is safe in a comment."""
    return "".join(c if c.isprintable() else " " for c in text)
