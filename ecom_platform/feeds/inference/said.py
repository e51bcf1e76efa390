"""What somebody has said beforehand of a declaration, as ``--set`` has it.

Belongs here: ``COLUMN.word=value`` and ``word=value``, and what of it holds for the inference. Does not
belong here: what the words mean (``words``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ecom_platform.errors import UsageError
from ecom_platform.feeds.document import read_document
from ecom_platform.feeds.feed import Dialect
from ecom_platform.feeds.inference.draft import as_said
from ecom_platform.feeds.words import ENCODINGS, MARKS, ColumnWords, FeedWords

_OF_COLUMN = {model.alias or name for name, model in ColumnWords.model_fields.items()} - {
    "from",
    "at",
    "concat",
}
_OF_FEED = set(FeedWords.model_fields) - {
    "columns",
    "format",
    "width",
    "checks",
    "roles",
    "explode",
    "version",
}
_OF_DIALECT = {"delimiter", "quote", "escape", "decimal", "thousands", "encoding", "header", "skip"}


@dataclass(frozen=True, slots=True)
class SaidWords:
    """``feed``: words of the feed; ``columns``: words of each column, by the name that was given."""

    feed: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> SaidWords:
        """From ``COLUMN.word=value`` and ``word=value``. Raises :class:`UsageError`."""
        feed: dict[str, str] = {}
        columns: dict[str, dict[str, str]] = {}
        for text in texts:
            place, equals, value = text.partition("=")
            column, _, word = place.rpartition(".")
            known = _OF_COLUMN if column else _OF_FEED
            if not equals or word not in known:
                raise UsageError(
                    f"--set {text!r} is neither COLUMN.word=value nor word=value.",
                    f"Words of a {'column' if column else 'feed'} are {', '.join(sorted(known))}.",
                )
            (columns.setdefault(column, {}) if column else feed)[word] = value
        found = cls(feed, columns)
        _ = found.dialect
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
        found = read_document(f"nulls: {as_said(value)}", f"--set nulls={value}").data["nulls"]
        return (found,) if isinstance(found, str) else tuple(str(text) for text in found)

    def require_columns(self, names: Sequence[str]) -> None:
        """Raises :class:`UsageError` where words are of a column that is not there."""
        strange = [name for name in self.columns if name not in names]
        if strange:
            raise UsageError(
                f"--set {strange[0]}.…: the file has no such column.", f"It has {', '.join(names)}."
            )

    @property
    def encoding(self) -> str | None:
        """The encoding that was said, if it is one."""
        value = self.feed.get("encoding")
        if value is not None and value not in ENCODINGS:
            raise UsageError(f"--set encoding={value}.", f"It may be one of {', '.join(ENCODINGS)}.")
        return value

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
