"""From JSON lines or Parquet to a declaration that loads every row that was read of them.

Belongs here: what such a file says of its columns by itself, and drafting those. Does not belong here: what
texts say of a column (``feeds.inference``), the proof (``draft_proof``), files of separated text
(``drafting``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.errors import UsageError
from ecom_platform.feeds.feed import Column, Dialect, Feed
from ecom_platform.feeds.inference.amounts import amount
from ecom_platform.feeds.inference.column_choice import NEVER_FILLED, Choice, choose
from ecom_platform.feeds.inference.column_names import column_names
from ecom_platform.feeds.inference.day_order import with_day_order
from ecom_platform.feeds.inference.draft import Draft, DraftColumn
from ecom_platform.feeds.inference.key_candidates import find_keys
from ecom_platform.feeds.inference.observed import Observed
from ecom_platform.feeds.inference.remarks import about_few_rows, about_keys, about_times
from ecom_platform.feeds.inference.said import SaidWords, says_no_zone
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.content_kinds import JSON_LINES, PARQUET
from ecom_platform.files.draft_proof import DraftProof, of_file, sources
from ecom_platform.files.drafting import Drafted, as_said, draft_feed
from ecom_platform.files.heads import read_head
from ecom_platform.files.json_columns import JsonColumns
from ecom_platform.files.json_shape import Leaf, elements, leaves_of, text_at
from ecom_platform.files.json_values import LineParser
from ecom_platform.files.opening import open_events
from ecom_platform.files.parquet_columns import canonical_texts, plain_strings, why_unfit
from ecom_platform.files.parquet_decoding import parquet_file
from ecom_platform.files.samples import Sample, take_sample
from ecom_platform.files.unreadable import UnreadableFile

# Of Parquet so many rows are looked at for what texts say; the proof reads all of them.
_MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class _Found:
    """Columns of files that say more than texts: ``texts`` has a column for each of ``names``; ``known`` are
    those whose type is not to be found out by texts. ``called``: what columns are called after."""

    names: tuple[str, ...]
    called: tuple[str, ...]
    texts: pa.Table
    known: dict[int, tuple[str, str]]
    words: dict[str, str]
    doubts: tuple[str, ...]
    unsplit: Counter[Reason] = field(default_factory=Counter)


def draft_any(paths: Sequence[Path], name: str, said: SaidWords, *, prove: bool = False) -> Drafted:
    """The declaration of the feed ``name`` that ``paths`` are files of, whatever their format; see
    :func:`draft_feed`."""
    formats = {_format(path, said) for path in paths}
    if len(formats) > 1:
        raise UsageError(
            f"The files are not of one format: {', '.join(sorted(formats))}.",
            "Run `ecom feeds init` for each kind of file by itself.",
        )
    if formats == {"jsonl"}:
        samples = [take_sample(path, JSON_LINES) for path in paths]
        found = _in_lines(samples, said)
        whole = prove or all(sample.whole for sample in samples)
        proof = DraftProof(sum(found.unsplit.values()), sources(samples, prove=prove))
        return _drafted(name, found, said, proof, whole, [sample.described for sample in samples])
    if formats == {"parquet"}:
        found = _in_parquet(paths)
        proof = DraftProof(0, [of_file(path) for path in paths])
        return _drafted(name, found, said, proof, True, [f"{path.name}: all of it" for path in paths])
    return draft_feed(paths, name, said, prove=prove)


def _format(path: Path, said: SaidWords) -> str:
    if "format" in said.feed:
        return said.feed["format"]
    try:
        data = read_head(path.resolve(), 0).data
    except (UnreadableFile, OSError):
        return "csv"  # whose reader says what is wrong
    return "parquet" if data.startswith(PARQUET) else "jsonl" if JSON_LINES.is_kind_of(data) else "csv"


# -- JSON lines ----------------------------------------------------------------------------------


def _in_lines(samples: Sequence[Sample], said: SaidWords) -> _Found:
    explode = said.feed.get("explode")
    columns = JsonColumns(Feed("lines", (), "lines", format="jsonl", explode=explode))
    unsplit: Counter[Reason] = Counter()
    leaves, unnamed = leaves_of(_rows(samples, columns, unsplit), columns.exploded)
    if not leaves:
        raise UsageError(
            "No line has a key that can be a column.", "Take a file of JSON objects, one a line."
        )
    texts: list[list[str]] = [[] for _ in leaves]
    paths = [_path(leaf, columns) for leaf in leaves]
    for record, element in _rows(samples, columns, Counter()):
        for column, (inside, path) in zip(texts, paths, strict=True):
            value = element if inside else record
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            column.append(text_at(value))
    words = {"format": "jsonl"}
    if any(leaf.missing for leaf in leaves):
        words["missing"] = "null"
    if unnamed:
        words["extra"] = "store"
    known = {n: ("jsonb", "objects or lists") for n, leaf in enumerate(leaves) if leaf.nested}
    lists = [leaf.name for leaf in leaves if leaf.lists and not leaf.missing]
    doubts = [f"a row for each element of {one}: `--set explode={one}`" for one in lists if not explode]
    if unnamed:
        doubts.append(
            f"{amount(len(unnamed), 'key')} with a point in it: kept in extra, since a point is a path"
        )
    names = tuple(leaf.name for leaf in leaves)
    table = pa.table(
        [pa.array(column, pa.string()) for column in texts], [f"c{n}" for n in range(len(names))]
    )
    called = tuple(".".join(path) or leaf.name for leaf, (_, path) in zip(leaves, paths, strict=True))
    return _Found(names, called, table, known, words, tuple(doubts), unsplit)


def _rows(
    samples: Sequence[Sample], columns: JsonColumns, unsplit: Counter[Reason]
) -> Iterator[tuple[dict[str, Any], Any]]:
    parser = LineParser()
    for sample in samples:
        for line in sample.data.split(b"\n"):
            if not line.strip(b" \t\r"):
                continue
            record = parser.parse(line)
            if isinstance(record, Reason):
                unsplit[record] += 1
            else:
                yield from elements(columns, record)


def _path(leaf: Leaf, columns: JsonColumns) -> tuple[bool, tuple[str, ...]]:
    inside = bool(columns.exploded) and leaf.path[: len(columns.exploded)] == columns.exploded
    return inside, leaf.path[len(columns.exploded) :] if inside else leaf.path


# -- Parquet -------------------------------------------------------------------------------------


def _in_parquet(paths: Sequence[Path]) -> _Found:
    names: tuple[str, ...] = ()
    tables: list[pa.Table] = []
    schema: pa.Schema | None = None
    for path in paths:
        with open_events(path.resolve()) as source:
            file = parquet_file(source.stream)
            own = file.schema_arrow
            if schema is not None and own != schema:
                raise UsageError(
                    f"{paths[0].name} and {path.name} are not files of one feed: their schemas differ.",
                    "Run `ecom feeds init` for each kind of file by itself.",
                )
            schema = own
            names = tuple(n for n in own.names if own.names.count(n) == 1 and _declared(own.field(n).type)[0])
            for batch in file.iter_batches(columns=list(names), use_threads=False):
                arrays = [canonical_texts(plain_strings(batch.column(name))) for name in names]
                filled = [pc.fill_null(array, "") for array in arrays]
                tables.append(pa.table(filled, [f"c{n}" for n in range(len(names))]))
                if sum(len(table) for table in tables) >= _MOST_ROWS:
                    break
    if schema is None or not names:
        raise UsageError("The file has no column that can be declared.", "Write it with other types.")
    left = [name for name in schema.names if name not in names]
    doubts = [f"{name} is of the type {schema.field(name).type}, which no column takes" for name in left[:20]]
    words = {"format": "parquet", **({"extra": "ignore"} if left else {})}
    typed = {n: _declared(schema.field(name).type) for n, name in enumerate(names)}
    known = {
        n: (kind, f"{schema.field(names[n]).type} in the file")
        for n, (kind, _) in typed.items()
        if kind != "?"
    }
    table = pa.concat_tables(tables).combine_chunks() if tables else _no_rows(len(names))
    return _Found(names, names, table, known, words, tuple(doubts))


def _no_rows(count: int) -> pa.Table:
    return pa.table([pa.array([], pa.string()) for _ in range(count)], [f"c{n}" for n in range(count)])


def _declared(kind: pa.DataType) -> tuple[str, str]:
    """The type of a column for a type of a file; ``?`` where texts say it, empty where none is."""
    if pa.types.is_integer(kind):
        return ("integer" if kind.bit_width < 32 or kind == pa.int32() else "bigint"), ""
    if pa.types.is_decimal(kind):
        return f"numeric({min(38, kind.precision)},{max(0, kind.scale)})", ""
    for test, name in (
        (pa.types.is_floating, "double precision"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_date32, "date"),
        (pa.types.is_nested, "jsonb"),
    ):
        if test(kind):
            return ("" if why_unfit(Column("x", name), kind) else name), ""
    if pa.types.is_timestamp(kind):
        return ("timestamptz" if kind.tz else "timestamp"), ""
    if kind == pa.binary(16):
        return "uuid", ""
    return ("" if why_unfit(Column("x", "text"), kind) else "?"), ""


# -- both ----------------------------------------------------------------------------------------


def _drafted(
    name: str, found: _Found, said: SaidWords, proof: DraftProof, whole: bool, described: Sequence[str]
) -> Drafted:
    columns = [Observed.of(one, n, found.texts.column(n)) for n, one in enumerate(found.names)]
    clean = column_names(found.called)
    said.require_columns([*clean, *found.names])
    choices = with_day_order(
        [_choice(columns[n], clean[n], said, found.known.get(n)) for n in range(len(columns))]
    )
    drawn = tuple(_columns(choices, columns, said))
    kinds = [c.column.type for c in drawn]
    keys = find_keys(columns, clean, kinds, found.texts, whole=whole)
    doubts = [*(f"read {one}" for one in described), *found.doubts, *about_times(choices, drawn, said.feed)]
    if found.unsplit:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in found.unsplit.items())
        doubts.append(f"lines that are no rows by any declaration: {listed}")
    if not {"primary_key", "identity"} & set(said.feed):
        doubts += about_keys(keys, found.texts.num_rows, clean)
    words = {word: value for word, value in found.words.items() if word not in said.feed}
    draft = Draft(
        name,
        Dialect(),
        drawn,
        nulls=said.nulls() or ("",),
        key=() if keys.proven is None else (clean[keys.proven],),
        doubts=tuple(doubts),
        said=said.beside,
        words=words,
    )
    draft, feed = proof.widened(draft)
    more = about_few_rows(draft, found.texts.num_rows, feed.primary_key)
    draft = draft.with_doubts(more)
    return Drafted(draft, feed, proof.rows, whole, tuple(described), keys, tuple(clean), dict(found.unsplit))


def _choice(observed: Observed, name: str, said: SaidWords, known: tuple[str, str] | None) -> Choice:
    words = said.of(name, observed.name)
    told = as_said(observed, name, words) if words else None
    if told is not None:
        return told
    if known is None:
        return choose(observed, name, Dialect(), said.nulls(name, observed.name))
    kind, evidence = known
    if not observed.different and kind == "jsonb":
        evidence = NEVER_FILLED
    return Choice(Column(name, kind, nullable=bool(observed.empty)), evidence)


def _columns(
    choices: Sequence[Choice], columns: Sequence[Observed], said: SaidWords
) -> Iterator[DraftColumn]:
    for choice, observed in zip(choices, columns, strict=True):
        words: Mapping[str, str] = said.of(choice.column.name, observed.name)
        if says_no_zone(choice, words):
            words = {**said.times, **words}
        yield DraftColumn(choice.column, observed.name, choice.evidence, choice.doubts, words)
