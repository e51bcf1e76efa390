"""How the lines of a file become fields, by its beginning.

Belongs here: delimiter, quote, escape, title lines, and whether there is a header. Does not belong here: what
the fields mean (``feeds.inference``), and splitting (``splitting``), which is asked here as it is when a
file is loaded.

Each way to split is tried on the first records. The better one splits more of them into the same number of
fields; among equals, the one whose fields are more often numbers, times and the like, then the one with
more fields.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ecom_platform.feeds.feed import Dialect
from ecom_platform.files.header_wording import is_header
from ecom_platform.files.splitting import MAX_SPAN_BYTES, Grammar, split_quoted

_LOOKED_AT_BYTES = 1 << 18
_MOST_RECORDS = 200
_MOST_TITLE_LINES = 20
# More than any table has columns.
_MOST_FIELDS = 2_000
# Those before others are preferred among equals: a comma stands in more texts than a tab.
_DELIMITERS = "\t|;,^~"
# So many records of a file's width, the first among them, are no chance.
_FEW_ALIKE = 2
_TIERS = (0.999, 0.97, 0.9, 0.75, 0.6)
_TYPED = re.compile(
    r"-?[0-9][0-9.,' ]*|-?[0-9.]+[eE][+-]?[0-9]+|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ,].*)?"
    r"|(?i:true|false)|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    re.ASCII,
)
# What Excel takes as the delimiter of the lines below.
_EXCEL_HINT = re.compile(rb"sep=([\t|;,^~])\r?\n")
_NAME = re.compile(r"\w[\w .#%()/&:?+*\-]{0,119}")


@dataclass(frozen=True, slots=True)
class SplitLine:
    """A record: the line where it starts and the one after it, from 0; its fields, ``None`` where it breaks
    the grammar."""

    line: int
    next_line: int
    fields: tuple[str, ...] | None

    @property
    def width(self) -> int:
        """How many fields it has; -1 where it breaks the grammar."""
        return -1 if self.fields is None else len(self.fields)


@dataclass(frozen=True, slots=True)
class DialectGuess:
    """``names`` are those of the header, blanks around them cut off; none where there is no header, or none
    that can be used: then ``dialect`` has none and skips it. ``written`` are the names all the same.
    ``first_row`` counts the lines above the first row."""

    dialect: Dialect
    width: int
    names: tuple[str, ...]
    written: tuple[str, ...]
    doubts: tuple[str, ...]
    first_row: int

    @property
    def rows_from(self) -> Dialect:
        """As if the lines above the first row were titles."""
        return replace(self.dialect, header=False, skip=self.first_row, width=self.width)


def guess_dialect(data: bytes, encoding: str, said: Dialect | None, words: Collection[str]) -> DialectGuess:
    """How ``data``, the beginning of a file without a byte-order mark, is written.

    ``words`` names what of ``said`` somebody has set: that is taken as it is.
    """
    data = data[:_LOOKED_AT_BYTES]
    whole = len(data) < _LOOKED_AT_BYTES
    text = data.decode(encoding, "replace").encode()
    text = text if text.endswith(b"\n") or whole else text[: text.rfind(b"\n") + 1]
    text = text if text.endswith(b"\n") else text + b"\n"
    known = said or Dialect()
    hint = _EXCEL_HINT.match(text)
    if hint and "delimiter" not in words:
        known, words = replace(known, delimiter=hint[1].decode(), skip=1), {*words, "delimiter", "skip"}
    quotes = [known.quote] if "quote" in words else _quotes(text)
    escapes = [known.escape] if "escape" in words else _escapes(text)
    ways = [
        (Dialect(delimiter, quote, escape), records)
        for delimiter in ([known.delimiter] if "delimiter" in words else _DELIMITERS)
        for quote in quotes
        for escape in escapes
        if quote != delimiter and (records := list(_records(text, Dialect(delimiter, quote, escape), whole)))
    ]
    dialect, records = max(ways, key=lambda way: _score(*way)) if ways else (Dialect(), [])
    dialect = replace(dialect, encodings=(encoding,))
    return _with_header(dialect, records, known, words)


def other_ways(guess: DialectGuess, data: bytes) -> list[DialectGuess]:
    """The same with other quotes and escapes, as far as these occur in all of ``data``. Quotes that stand
    around whole fields are quotes, whatever else there is."""
    mark = re.escape(guess.dialect.delimiter.encode())
    around = re.search(rb"(?m)(^|" + mark + rb')"[^"\n]*"(' + mark + rb"|\r?$)", data) is not None
    quotes = ['"'] if around else _quotes(data)
    escapes = _escapes(data)
    ways = [replace(guess.dialect, quote=quote, escape=escape) for quote in quotes for escape in escapes]
    return [replace(guess, dialect=way) for way in ways if way != guess.dialect]


def whole_records(pieces: Sequence[bytes], guess: DialectGuess) -> list[bytes]:
    """Pieces of a file without what is cut off at their ends: a piece may begin and end within a text of
    several lines, and then what is within it looks like records. Lines that break the grammar are where
    that begins and ends, so of the beginning what is before the last of them stays, of each other piece the
    longest part without any."""
    found = []
    for number, piece in enumerate(pieces):
        lines = [line + b"\n" for line in piece.removesuffix(b"\n").split(b"\n")]
        text = piece.decode(guess.dialect.encodings[0], "replace").encode()
        records = list(_records(text, guess.dialect, True, len(lines)))
        broken = [record.line for record in records if record.fields is None]
        if number == 0:
            near = [line for line in broken if sum(map(len, lines[line:])) < MAX_SPAN_BYTES]
            found.append(b"".join(lines[: near[0]] if near else lines))
        else:
            parts = list(pairwise((-1, *broken, len(lines))))
            begin, end = max(parts, key=lambda part: part[1] - part[0])
            found.append(b"".join(lines[begin + 1 : end]))
    return found


def _quotes(text: bytes) -> list[str | None]:
    """A double quote where there are none: files to come may have some."""
    found: list[str | None] = ['"']
    if b'"' in text:
        found.append(None)
    if re.search(rb"(?m)(^|[\t|;,^~])'", text):
        found.append("'")
    return found


def _escapes(text: bytes) -> list[str | None]:
    return [None, "\\"] if b"\\" in text else [None]


def _grammar(dialect: Dialect) -> Grammar:
    quote, escape = (dialect.quote or "").encode(), (dialect.escape or "").encode()
    return Grammar(_MOST_FIELDS, dialect.delimiter.encode(), quote, escape)


def _records(text: bytes, dialect: Dialect, whole: bool, most: int = _MOST_RECORDS) -> Iterator[SplitLine]:
    grammar = _grammar(dialect)
    position = line = count = 0
    while position < len(text) and count < most:
        newline = text.find(b"\n", position)
        if not text[position:newline].strip(grammar.blank + b"\r"):
            position, line = newline + 1, line + 1
            continue
        limit = min(len(text), max(newline + 1, position + MAX_SPAN_BYTES))
        split = split_quoted(text, position, newline, limit, grammar)
        if split is None and not whole and len(text) - position < MAX_SPAN_BYTES:
            return  # it may go on behind what was read
        fields, after = split or (None, newline + 1)
        lines = text.count(b"\n", position, after)
        texts = None if fields is None else tuple(field.decode("utf-8", "replace") for field in fields)
        yield SplitLine(line, line + lines, texts)
        position, line, count = after, line + lines, count + 1


def _usual_width(records: Sequence[SplitLine]) -> tuple[int, float]:
    """How many fields most records have that can be split, and the share of all that has so many."""
    widths = Counter(record.width for record in records if record.width > 0)
    if not widths:
        return 1, 0.0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return width, count / len(records)


def _score(dialect: Dialect, records: Sequence[SplitLine]) -> tuple[float, ...]:
    width, share = _usual_width(records)
    tier = next((number for number, least in enumerate(_TIERS) if share >= least), len(_TIERS))
    fields = [field for r in records if r.fields is not None and len(r.fields) == width for field in r.fields]
    filled = [field for field in fields if field]
    typed = sum(_TYPED.fullmatch(field) is not None for field in filled) / max(1, len(filled))
    # A quote left in a field is one that was not understood.
    stray = sum(field[:1] in "\"'" and len(field) > 1 for field in filled) / max(1, len(filled))
    simple = 2 * (dialect.quote == '"') + (dialect.quote is None) - (dialect.escape is not None)
    # Of one column nothing says the delimiter, so it is the usual one.
    order = -float(_DELIMITERS.find(dialect.delimiter)) if width > 1 else float(dialect.delimiter == ",")
    regular = tier < len(_TIERS) or (records[0].width == width and share * len(records) >= _FEW_ALIKE)
    several = float(width > 1 and regular)
    return (several, -tier, -round(stray, 2), round(4 * typed), width, simple, order)


# -- header --------------------------------------------------------------------------------------


def _with_header(
    dialect: Dialect, records: Sequence[SplitLine], known: Dialect, words: Collection[str]
) -> DialectGuess:
    width, share = _usual_width(records)
    skip = _titles(records, width) if "skip" not in words else known.skip
    below = [record for record in records if record.line >= skip]
    doubts = []
    if not below or below[0].fields is None:
        return DialectGuess(replace(dialect, header=False, skip=skip), width, (), (), (), 0)
    if share < 1:
        other = sum(record.width != width for record in below)
        if other:
            doubts.append(f"of the first {len(records):,} records {other:,} do not have {width} fields")
    if skip and "skip" not in words:
        doubts.append(f"{skip} lines above the first with {width} fields are skipped")
    first = below[0]
    there, doubt = (known.header, "") if "header" in words else _is_header(below)
    doubts += [doubt] if doubt else []
    if not there:
        return DialectGuess(replace(dialect, header=False, skip=skip), width, (), (), tuple(doubts), skip)
    names = tuple(name.strip() for name in first.fields or ())
    wrong = _unusable(names, width, first)
    if wrong:
        doubts.append(f"{wrong}, so the header is skipped and columns go by their places")
        unnamed = replace(dialect, header=False, skip=first.next_line)
        written = names if len(names) == width else ()
        return DialectGuess(unnamed, width, (), written, tuple(doubts), first.next_line)
    return DialectGuess(replace(dialect, skip=skip), width, names, names, tuple(doubts), first.next_line)


def _titles(records: Sequence[SplitLine], width: int) -> int:
    """How many lines stand above the first record of the usual width, where few of another do."""
    at = next((n for n, record in enumerate(records) if record.width == width), 0)
    if width < 2 or at == 0 or at > _MOST_TITLE_LINES or len(records) - at < 2:
        return 0
    named_by_one_less = records[at - 1].width == width - 1 and is_header(records[at - 1].fields or (), ())
    return records[at].line if not named_by_one_less else records[at - 1].next_line


def _is_header(records: Sequence[SplitLine]) -> tuple[bool, str]:
    """Whether the first record has names, and what is doubtful about that."""
    names = [name.strip() for name in records[0].fields or ()]
    filled = [name for name in names if name]
    if not filled or any(_TYPED.fullmatch(name) for name in filled):
        return False, "the first line has values, not names: no header" if filled else ""
    if is_header(names, ()):
        return True, ""
    rows = [record.fields for record in records[1:] if record.fields and len(record.fields) == len(names)]
    typed = any(
        all(_TYPED.fullmatch(row[n]) for row in rows if row[n]) and any(row[n] for row in rows)
        for n in range(len(names))
    )
    if rows and typed:
        return True, ""
    again = any(names[n] and names[n] == row[n] for row in rows for n in range(len(names)))
    if again or not all(_NAME.fullmatch(name) for name in filled) or len(set(filled)) < len(filled):
        return False, "the first line is read as a row: if it has names, `--set header=true`"
    return True, "the first line is read as names: if it is a row, `--set header=false`"


def _unusable(names: Sequence[str], width: int, first: SplitLine) -> str:
    """Why columns cannot go by these names; empty where they can."""
    if first.next_line - first.line > 1:
        return "a name in the header has a line end in it"
    if len(names) != width:
        return f"the header has {len(names)} names for {width} fields"
    if not all(names):
        return "a column has no name"
    twice = [name for name, count in Counter(names).items() if count > 1]
    return f"{len(twice)} names stand there twice" if twice else ""
