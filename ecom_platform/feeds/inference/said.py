"""What somebody has said beforehand of a declaration, as ``--set`` has it.

Belongs here: ``COLUMN.word=value`` and ``word=value``, and what of it holds for the inference. Does not
belong here: what the words mean (``words``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ecom_platform.errors import UsageError
from ecom_platform.feeds.feed import Dialect
from ecom_platform.feeds.inference.column_choice import Choice
from ecom_platform.feeds.inference.flow_yaml import said_value
from ecom_platform.feeds.words import ENCODINGS, MARKS, ColumnWords, FeedWords, encoding_name

_OF_COLUMN = {model.alias or name for name, model in ColumnWords.model_fields.items()}
_OF_FEED = set(FeedWords.model_fields)
# What is found out, and by which every value that was read has its place.
_FOUND = {"from", "at", "concat", "columns"}
_OF_DIALECT = {"delimiter", "quote", "escape", "decimal", "thousands", "encoding", "header", "skip"}
# Words of a column that hold for every column of times where they are said of the feed.
_OF_TIMES = {"zone", "fold"}


@dataclass(frozen=True, slots=True)
class SaidWords:
    """``feed``: words of the feed; ``columns``: words of each column, by the name that was given; ``times``:
    those of all columns whose times say no zone."""

    feed: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> SaidWords:
        """From ``COLUMN.word=value`` and ``word=value``. Raises :class:`UsageError`."""
        feed: dict[str, str] = {}
        columns: dict[str, dict[str, str]] = {}
        times: dict[str, str] = {}
        for text in texts:
            place, equals, value = text.partition("=")
            column, _, word = place.rpartition(".")
            if not equals:
                raise _unknown(text, word, column)
            if word in _OF_TIMES and not column:
                times[word] = value
                continue
            if word not in (_OF_COLUMN if column else _OF_FEED) - _FOUND:
                raise _unknown(text, word, column)
            _require_list(word, value)
            _ = said_value(word, value)
            (columns.setdefault(column, {}) if column else feed)[word] = value
        if "width" in feed:
            # Only a file without a header has a width that is said.
            feed.setdefault("header", "false")
        found = cls(feed, columns, times)
        _ = found.dialect, found.encodings
        return found

    @property
    def beside(self) -> dict[str, str]:
        """The words of the feed that say nothing about how its lines are written."""
        return {word: value for word, value in self.feed.items() if word not in _OF_DIALECT}

    def of(self, *names: str) -> dict[str, str]:
        """The words of the column that has one of these names."""
        return {word: value for name in names for word, value in self.columns.get(name, {}).items()}

    def nulls(self, *names: str) -> tuple[str, ...]:
        """The texts for no value of the column that has one of these names; none where nothing is said."""
        value = self.of(*names).get("nulls", self.feed.get("nulls"))
        if value is None:
            return ()
        found = said_value("nulls", value)
        return (found,) if isinstance(found, str) else tuple(str(text) for text in found)

    def require_columns(self, names: Sequence[str]) -> None:
        """Raises :class:`UsageError` where words are of a column that is not there."""
        strange = [name for name in self.columns if name not in names]
        if strange:
            raise UsageError(
                f"--set {strange[0]}.…: the file has no such column.", f"It has {', '.join(names)}."
            )

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that were said, in their order; none where nothing is said."""
        value = self.feed.get("encoding")
        found = [] if value is None else said_value("encoding", value)
        try:
            return tuple(encoding_name(str(one)) for one in ([found] if isinstance(found, str) else found))
        except ValueError as error:
            raise UsageError(
                f"--set encoding={value}: {error}.", f"It may be one or a list of {', '.join(ENCODINGS)}."
            ) from error

    @property
    def dialect(self) -> Dialect:
        """With the words that were said; of the others, what is usual."""
        usual = Dialect()
        header = self.feed.get("header", "true")
        skip = self.feed.get("skip", "0")
        if header not in ("true", "false") or not (skip.isascii() and skip.isdigit() and len(skip) < 4):
            raise UsageError(f"--set header={header}, skip={skip}.", "header: true or false; skip: a number.")
        return Dialect(
            delimiter=self._mark("delimiter", usual.delimiter) or ",",
            quote=self._mark("quote", usual.quote),
            escape=self._mark("escape", usual.escape),
            decimal=self._mark("decimal", usual.decimal) or ".",
            thousands=self._mark("thousands", usual.thousands),
            header=header == "true",
            skip=int(skip),
        )

    def _mark(self, word: str, usual: str | None) -> str | None:
        value = self.feed.get(word)
        if value is None:
            return usual
        if value in MARKS:
            return MARKS[value]
        if len(value) == 1 and value.isascii() and not value.isalnum():
            return value
        raise UsageError(f"--set {word}={value!r}.", f"It is one character, or one of {', '.join(MARKS)}.")


def _require_list(word: str, value: str) -> None:
    """A name of a column has no comma, so several are meant."""
    if word == "primary_key" and "," in value and not value.strip().startswith("["):
        names = ", ".join(name.strip() for name in value.split(","))
        raise UsageError(
            f"--set {word}={value}: {value!r} is no name of a column.",
            f"Several are a list: `{word}=[{names}]`.",
        )


def _unknown(text: str, word: str, column: str) -> UsageError:
    known = (_OF_COLUMN if column else _OF_FEED | _OF_TIMES) - _FOUND
    what = "column" if column else "feed"
    if word in _FOUND:
        remedy = "That is found out; change it in the declaration that is written."
        return UsageError(f"--set {text!r}: {word} is not said beforehand.", remedy)
    if not column and word in _OF_COLUMN:
        return UsageError(f"--set {text!r}: {word} is a word of a column.", f"Say of which: `COLUMN.{text}`.")
    if column and word in _OF_FEED:
        said = text.removeprefix(f"{column}.")
        return UsageError(f"--set {text!r}: {word} is a word of the feed.", f"Say `--set '{said}'`.")
    return UsageError(
        f"--set {text!r} is neither COLUMN.word=value nor word=value.",
        f"{_close(word, known)}Words of a {what} are {', '.join(sorted(known))}.",
    )


def _close(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]}? " if close else ""


def says_no_zone(choice: Choice, words: Mapping[str, str]) -> bool:
    """Whether times of a column, of which ``words`` are set, are local ones."""
    kind = words.get("type", choice.column.type).removesuffix(" null")
    if kind != "timestamptz":
        return False
    return (
        choice.local
        or ("time_format" in words and not re.search(r"%z|epoch_|UTC|GMT|Z\b", words["time_format"]))
        or ("type" in words and "time_format" not in words)
    )
