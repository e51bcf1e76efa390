"""From files to a declaration that loads every row that was read of them.

Belongs here: the order of the steps, and the proof by the reader that will load the files. Does not belong
here: any of the steps (``samples``, ``dialect_guess``, ``feeds.inference``), or writing the YAML to disk.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from ecom_platform.errors import UsageError
from ecom_platform.feeds.feed import Column, Dialect, Feed
from ecom_platform.feeds.inference.amounts import amount
from ecom_platform.feeds.inference.column_choice import Choice, bare, choose
from ecom_platform.feeds.inference.column_names import column_names, why_renamed
from ecom_platform.feeds.inference.day_order import with_day_order
from ecom_platform.feeds.inference.draft import Draft, DraftColumn
from ecom_platform.feeds.inference.key_candidates import Keys, find_keys
from ecom_platform.feeds.inference.number_marks import decide_marks
from ecom_platform.feeds.inference.observed import Observed
from ecom_platform.feeds.inference.remarks import about_few_rows, about_keys, about_times, common_nulls
from ecom_platform.feeds.inference.said import SaidWords, says_no_zone
from ecom_platform.feeds.inference.undecided import UndecidedError
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.dialect_guess import DialectGuess, guess_dialect, other_ways, whole_records
from ecom_platform.files.draft_proof import DraftProof, sources
from ecom_platform.files.encoding import UTF8, MixedEncoding, decide
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform.files.samples import Sample, take_sample
from ecom_platform.files.unreadable import FileReason, UnreadableFile


@dataclass(frozen=True, slots=True)
class Drafted:
    """A proven declaration and what is known beside it. ``rows`` were read, ``whole``: all there are;
    ``unsplit`` are records that no declaration would load, by reason."""

    draft: Draft
    feed: Feed
    rows: int
    whole: bool
    samples: tuple[str, ...]
    keys: Keys
    names: tuple[str, ...]
    unsplit: dict[Reason, int] = field(default_factory=dict)

    @property
    def candidates(self) -> list[list[str]]:
        """Columns that may be the key."""
        return [[self.names[place] for place in places] for places in self.keys.candidates]


def draft_feed(paths: Sequence[Path], name: str, said: SaidWords, *, prove: bool = False) -> Drafted:
    """The declaration of the feed ``name`` that ``paths`` are files of.

    ``prove`` reads all of each file. Raises :class:`UndecidedError`, :class:`UsageError` where the files are
    not one feed, :class:`OtherContentError` and :class:`UnreadableFile` where one cannot be read.
    """
    samples = [_taken(path, said) for path in paths]
    guesses = [guess_dialect(s.data, s.encoding, said.dialect, said.feed) for s in samples]
    _require_one_feed(samples, guesses)
    texts, unsplit = _texts(samples, guesses)
    if unsplit and not all(sample.whole for sample in samples):
        samples = [_aligned(sample, one) for sample, one in zip(samples, guesses, strict=True)]
        texts, unsplit = _texts(samples, guesses)
    if unsplit and not {"quote", "escape"} & set(said.feed):
        # Its beginning does not show all of how a file is written.
        guesses = [_better(sample, one) for sample, one in zip(samples, guesses, strict=True)]
        _require_one_feed(samples, guesses)
        texts, unsplit = _texts(samples, guesses)
    guess = guesses[0]
    names = guess.names or guess.written or tuple(f"column_{n}" for n in range(1, guess.width + 1))
    columns = [Observed.of(names[n], n, texts.column(n)) for n in range(guess.width)]
    clean = column_names(names)
    said.require_columns([*clean, *names])
    dialect, choices = _decided(guess, guesses, columns, clean, said)
    drawn = tuple(_columns(choices, columns, guess, said))
    draft = Draft(
        name,
        dialect,
        drawn,
        doubts=about_times(choices, drawn, said.feed),
        nulls=said.nulls() or ("",),
        said=said.beside,
    )
    whole = all(sample.whole for sample in samples)
    keys = find_keys(columns, clean, [c.column.type for c in draft.columns], texts, whole=whole)
    draft = _about_all(draft, samples, guesses, texts.num_rows, keys, clean, unsplit, prove=prove)
    if "nulls" not in said.feed:
        draft = common_nulls(draft)
    proof = DraftProof(sum(unsplit.values()), sources(samples, prove=prove))
    draft, feed = proof.widened(draft)
    draft = replace(draft, doubts=(*draft.doubts, *about_few_rows(draft, texts.num_rows, feed.primary_key)))
    return Drafted(
        draft,
        feed,
        proof.rows,
        whole or prove,
        tuple(s.described for s in samples),
        keys,
        tuple(clean),
        unsplit,
    )


# -- reading -------------------------------------------------------------------------------------


def _taken(path: Path, said: SaidWords) -> Sample:
    sample = take_sample(path)
    if not said.encodings:
        return sample
    try:
        return replace(sample, encoding=decide(io.BytesIO(sample.data), said.encodings))
    except MixedEncoding as error:
        raise UnreadableFile(FileReason.MIXED_ENCODING, f"{path.name}: {error}") from error


def _aligned(sample: Sample, guess: DialectGuess) -> Sample:
    return sample if sample.whole else sample.with_pieces(whole_records(sample.pieces, guess))


def _better(sample: Sample, guess: DialectGuess) -> DialectGuess:
    """With the quotes and escapes by which most of what was read can be split."""
    return min([guess, *other_ways(guess, sample.data)], key=lambda way: _unsplit(sample, way))


def _unsplit(sample: Sample, guess: DialectGuess) -> int:
    return sum(_texts([sample], [guess])[1].values())


def _require_one_feed(samples: Sequence[Sample], guesses: Sequence[DialectGuess]) -> None:
    first = guesses[0]
    for sample, guess in zip(samples[1:], guesses[1:], strict=True):
        for word in ("delimiter", "quote", "escape", "header", "skip"):
            one, other = getattr(first.dialect, word), getattr(guess.dialect, word)
            if one != other:
                raise _not_one(samples[0], sample, f"{word} is {one!r} in one and {other!r} in the other")
        if first.width != guess.width or set(first.written) != set(guess.written):
            differing = sorted(set(first.written) ^ set(guess.written))[:5]
            said = f" ({', '.join(differing)} in one of them only)" if differing else ""
            raise _not_one(samples[0], sample, f"{first.width} and {guess.width} columns{said}", _RENAMED)


_RENAMED = " If it is the same under other names: init one, then `from: [Name, Other name]`."


def _not_one(one: Sample, other: Sample, why: str, more: str = "") -> UsageError:
    return UsageError(
        f"{one.path.name} and {other.path.name} are not files of one feed: {why}.",
        f"Run `ecom feeds init` for each kind of file by itself.{more}",
    )


def _texts(samples: Sequence[Sample], guesses: Sequence[DialectGuess]) -> tuple[pa.Table, dict[Reason, int]]:
    """All records that can be split, as texts in the order of the first file's columns; what cannot be,
    by reason."""
    width = guesses[0].width
    tables, refused = [], Counter[Reason]()
    for sample, guess in zip(samples, guesses, strict=True):
        feed = _of_texts(guess)
        decoder, facts = FeedDecoder(feed), FileFacts(guess.dialect.encodings[0], b"")
        order = [guess.names.index(name) for name in guesses[0].names] or range(width)
        for chunk in decoder.decode(io.BytesIO(sample.data), facts, datetime.now(UTC)):
            refused.update(reject.reason for reject in chunk.rejects)
            tables.append(
                chunk.rows.select([feed.names[at] for at in order]).rename_columns(_numbered(width))
            )
    if not tables:
        return pa.table({name: pa.chunked_array([], pa.string()) for name in _numbered(width)}), dict(refused)
    return pa.Table.from_batches(tables).combine_chunks(), dict(refused)


def _numbered(width: int) -> list[str]:
    return [f"c{number}" for number in range(1, width + 1)]


def _of_texts(guess: DialectGuess) -> Feed:
    """As a feed that takes every field as the text that it is."""
    columns = tuple(Column(name, "text", nulls=()) for name in _numbered(guess.width))
    return Feed("texts", columns, "texts", dialect=guess.rows_from)


# -- what the texts say --------------------------------------------------------------------------


def _decided(
    guess: DialectGuess,
    guesses: Sequence[DialectGuess],
    columns: Sequence[Observed],
    clean: Sequence[str],
    said: SaidWords,
) -> tuple[Dialect, list[Choice]]:
    """Marks and types. Raises :class:`UndecidedError` with all that no value decides."""
    undecided: list[UndecidedError] = []
    dialect, choices = guess.dialect, list[Choice]()
    try:
        dialect = _dialect(guess, guesses, columns, clean, said)
    except UndecidedError as error:
        undecided.append(error)
    try:
        choices = _choices(columns, clean, dialect, said)
    except UndecidedError as error:
        undecided.append(error)
    if undecided:
        raise UndecidedError([question for error in undecided for question in error.questions])
    return dialect, choices


def _dialect(
    guess: DialectGuess,
    guesses: Sequence[DialectGuess],
    columns: Sequence[Observed],
    clean: Sequence[str],
    said: SaidWords,
) -> Dialect:
    """With the marks of numbers, and the encodings of all files."""
    plain = [
        bare(column.without(column.null_words()))[0]
        for column, name in zip(columns, clean, strict=True)
        if not {"type", "time_format"} & set(said.of(name, column.name))
    ]
    decimal = said.dialect.decimal if "decimal" in said.feed else None
    marks = decide_marks(plain, decimal, said.dialect.thousands if "thousands" in said.feed else None)
    found = {one.dialect.encodings[0] for one in guesses}
    encodings = (UTF8, *sorted(found - {UTF8})) if found != {UTF8} else (UTF8,)
    encodings = said.encodings or encodings
    return replace(guess.dialect, decimal=marks[0], thousands=marks[1], encodings=encodings)


def _choices(
    columns: Sequence[Observed], clean: Sequence[str], dialect: Dialect, said: SaidWords
) -> list[Choice]:
    choices = []
    for observed, name in zip(columns, clean, strict=True):
        words = said.of(name, observed.name)
        choices.append(
            (as_said(observed, name, words) if words else None)
            or choose(observed, name, dialect, said.nulls(name, observed.name))
        )
    return with_day_order(choices)


def _columns(
    choices: Sequence[Choice], columns: Sequence[Observed], guess: DialectGuess, said: SaidWords
) -> Iterator[DraftColumn]:
    zoned = False
    for choice, observed in zip(choices, columns, strict=True):
        words = said.of(choice.column.name, observed.name)
        if says_no_zone(choice, words):
            zoned = True
            words = {**said.times, **words}
        if "zone" not in words:
            words.pop("fold", None)
        source = observed.name if guess.names else None
        renamed = why_renamed(choice.column.name) if source else ""
        evidence = f"{choice.evidence}; {renamed}, so it has a _ behind it" if renamed else choice.evidence
        yield DraftColumn(choice.column, source, evidence, choice.doubts, words)
    if said.times and not zoned:
        word, value = next(iter(said.times.items()))
        raise UsageError(
            f"--set {word}={value}: no column has times that say no zone.", f"Say `COLUMN.{word}={value}`."
        )


def as_said(observed: Observed, name: str, words: Mapping[str, str]) -> Choice | None:
    """A column whose type, or the format of whose times, somebody has set."""
    if not {"type", "time_format"} & set(words):
        return None
    hours = any(part in words.get("time_format", "") for part in ("%H", "%I", "iso", "epoch_"))
    kind = words.get("type") or ("timestamptz" if hours else "date")
    nulls = observed.null_words() if not kind.startswith("text") else ()
    bare_values = observed.without(nulls)
    trim = kind != "text" and bare_values.any_matches(r"\A | \z")
    column = Column(
        name, kind.removesuffix(" null"), nullable=bool(bare_values.empty), nulls=("", *nulls), trim=trim
    )
    return Choice(column, f"{amount(bare_values.different, 'different value')}, as --set says")


def _about_all(
    draft: Draft,
    samples: Sequence[Sample],
    guesses: Sequence[DialectGuess],
    rows: int,
    keys: Keys,
    clean: Sequence[str],
    unsplit: Mapping[Reason, int],
    *,
    prove: bool,
) -> Draft:
    """With the key, and what is said of the whole."""
    doubts = [*(f"read {sample.described}" for sample in samples), *draft.doubts]
    if not prove and not all(sample.whole for sample in samples):
        doubts.append("what was not read may be otherwise: `ecom feeds init --prove` reads all")
    doubts += dict.fromkeys(doubt for guess in guesses for doubt in guess.doubts)
    if unsplit and all(sample.whole for sample in samples):
        listed = ", ".join(f"{count:,} {reason}" for reason, count in unsplit.items())
        doubts.append(f"records that are no rows by any declaration: {listed}")
    if not {"primary_key", "identity"} & set(draft.said):
        doubts += about_keys(keys, rows, clean)
    key = () if keys.proven is None else (clean[keys.proven],)
    return replace(draft, doubts=tuple(doubts), key=key)
