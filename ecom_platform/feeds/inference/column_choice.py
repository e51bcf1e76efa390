"""What a column is, by its values.

Belongs here: the choice of one type, with its evidence and its doubts. Does not belong here: marks of
numbers and formats of times (``number_marks``, ``time_shapes``), and rules of types (``feeds.types``).

The first type that reads every value is it: boolean, uuid, whole numbers, other numbers, times, JSON, text.
Digits behind a zero are a text, since that keeps them. A count since 1970 is told from a number by the
column's name alone, so without such a name it stays a number, and the doubt is said.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.inference.amounts import amount
from ecom_platform.feeds.inference.number_marks import CURRENCY, number_pattern
from ecom_platform.feeds.inference.observed import Observed
from ecom_platform.feeds.inference.time_shapes import TimesFound, times_of

_WHOLE, _LEADING_ZERO = "-?[0-9]{1,19}", r"-?0[0-9]+"
_ZERO_DECIMALS = r"-?[0-9]{1,18}\.0+"
_FLOAT = r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TIME_NAME = re.compile(
    r"(^|_)(time|date|datetime|timestamp|stamp|at|ts|created|updated|day|when|dt)(_|$)|time$|(?<!candi)date$|stamp$"
)
_ID_NAME = re.compile(r"(id|no|nr|number|num|key|code|sku|ean|zip)$", re.IGNORECASE)
_BOOLEANS = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"}, {"on", "off"})
_INTEGER_MAX, _BIGINT_MAX = (1 << 31) - 1, (1 << 63) - 1
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
# 2000-01-01 and 2100-01-01, in seconds.
_PLAUSIBLE = (946_684_800, 4_102_444_800)
_FEW = 8
_MOST_SHOWN = 24
# The evidence of a column without any value.
NEVER_FILLED = "never filled, so nothing says its type"


@dataclass(frozen=True, slots=True)
class Choice:
    """A column as it is declared; ``evidence`` is what says so, ``doubts`` what does not.

    ``times`` is there where day and month are undecided: ``column`` has the first way then. ``local``: its
    times say no zone.
    """

    column: Column
    evidence: str
    doubts: tuple[str, ...] = ()
    times: TimesFound | None = None
    local: bool = False


def bare(observed: Observed) -> tuple[Observed, bool, str]:
    """As numbers and times are looked for: without blanks around them and without currencies; whether there
    were blanks, and which characters were taken out."""
    trimmed = observed.any_matches(r"\A | \z")
    found = observed.trimmed() if trimmed else observed
    if not found.any_matches(CURRENCY) or not found.all_match(
        rf"(?:{CURRENCY} ?)?-?[0-9.,' ]+(?: ?{CURRENCY})?"
    ):
        return found, trimmed, ""
    removed = "".join(sign for sign in "$€£¥ " if found.any_matches(re.escape(sign)))
    plain = found.values
    for sign in removed:
        plain = pc.replace_substring(plain, sign, "")
    return replace(found, values=plain), trimmed, removed


def choose(observed: Observed, name: str, dialect: Dialect, said: Collection[str] = ()) -> Choice:
    """What a column called ``name`` in the table is. ``said``: the texts that somebody says stand for no
    value; else those of which the other values say so."""
    if said:
        kept = tuple(text for text in said if text)
        bare_values = observed.without(kept)
        choice = _typed(bare_values, name, dialect, kept) or _text(bare_values, name, kept)
        return replace(choice, column=replace(choice.column, nulls=tuple(said)))
    words = observed.null_words()
    for nulls in dict.fromkeys(((), words)):
        found = _typed(observed.without(nulls) if nulls else observed, name, dialect, nulls)
        if found is not None:
            return found
    nulls = tuple(word for word in words if word in ("\\N", "NULL"))
    return _text(observed.without(nulls) if nulls else observed, name, nulls)


def _typed(observed: Observed, name: str, dialect: Dialect, nulls: tuple[str, ...]) -> Choice | None:
    """A type that is no text; ``None`` if there is none."""
    plain, trim, removed = bare(observed)
    if not plain.different:
        return None
    column = Column(name, "text", nullable=bool(plain.empty), trim=trim, nulls=("", *nulls))
    number = replace(column, remove=removed)
    choice = (
        _boolean(plain, column)
        or _uuid(plain, column)
        or _number(plain, number, dialect)
        or _time(plain, column, dialect)
        or _json(plain, column)
    )
    if choice is None or not observed.are_read_by(replace(choice.column, nullable=True), dialect):
        return None
    return replace(choice, evidence=_evidence(plain, choice.evidence, nulls))


def _evidence(observed: Observed, what: str, nulls: tuple[str, ...]) -> str:
    count = observed.rows - observed.empty
    alike = (
        ""
        if count == 1
        else ", all equal"
        if observed.different == 1
        else f", {observed.different:,} different"
    )
    empty = f", {observed.empty:,} empty" if observed.empty else ""
    named = f" ({', '.join(nulls)} among them)" if nulls else ""
    return f"{amount(count, 'value')}{alike}: {what}{empty}{named}"


def _boolean(observed: Observed, column: Column) -> Choice | None:
    if observed.different > _FEW:
        return None
    found = {text.lower() for text in observed.values.to_pylist()}
    right = any(found == words for words in _BOOLEANS) or found <= _BOOLEANS[0]
    return Choice(replace(column, type="boolean"), ", ".join(sorted(found))) if right else None


def _uuid(observed: Observed, column: Column) -> Choice | None:
    return Choice(replace(column, type="uuid"), "UUIDs") if observed.all_match(_UUID) else None


def _json(observed: Observed, column: Column) -> Choice | None:
    looks = observed.all_match(r"(?s)\s*(\{.*\}|\[.*\])\s*")
    return Choice(replace(column, type="jsonb"), "JSON") if looks else None


# -- numbers -------------------------------------------------------------------------------------


def _number(observed: Observed, column: Column, dialect: Dialect) -> Choice | None:
    values = observed.values
    if dialect.thousands:
        if not observed.all_match(number_pattern((dialect.decimal, dialect.thousands))):
            return None
        values = pc.replace_substring(values, dialect.thousands, "")
    if dialect.decimal != ".":
        if observed.any_matches(r"\.") and dialect.thousands != ".":
            return None
        values = pc.replace_substring(values, dialect.decimal, ".")
    plain = replace(observed, values=values)
    if plain.all_match(_WHOLE):
        return None if plain.any_matches(rf"\A{_LEADING_ZERO}\z") else _whole(plain, column)
    if not plain.all_match(_FLOAT):
        return None
    if plain.any_matches("[eE]") or plain.any_matches(r"\A-?\."):
        return Choice(
            replace(column, type="double precision"), "numbers, some with an exponent or bare point"
        )
    if plain.any_matches(r"\A-?0[0-9]"):
        return None
    if plain.all_match(_ZERO_DECIMALS + "|" + _WHOLE) and _ID_NAME.search(column.name):
        choice = _whole(replace(plain, values=pc.replace_substring_regex(values, r"\.0+$", "")), column)
        return choice and replace(choice, evidence=f"{choice.evidence}, written with decimals that are zero")
    return _numeric(plain, column)


def _whole(observed: Observed, column: Column) -> Choice | None:
    # Nineteen digits may be more than 64 bits hold.
    ends = pc.min_max(observed.values.cast(pa.decimal128(19, 0)))
    low, high = (int(ends[end].as_py()) for end in ("min", "max"))
    if low < -_BIGINT_MAX - 1 or high > _BIGINT_MAX:
        return None
    said = f"whole numbers from {low} to {high}" if low < high else f"the whole number {low}"
    times = _counts(low, high)
    if times and _TIME_NAME.search(column.name) and column.name[-2:] != "id":
        return Choice(
            replace(column, type="timestamptz", time_formats=(times,)), f"{said}, counted from 1970"
        )
    day = Column(column.name, "date", time_formats=("%Y%m%d",))
    if _TIME_NAME.search(column.name) and low > 19_000_000 and observed.are_read_by(day, Dialect()):
        return Choice(replace(column, type="date", time_formats=("%Y%m%d",)), f"{said}: days as %Y%m%d")
    small = max(abs(low), abs(high)) <= _INTEGER_MAX // 20 and not _ID_NAME.search(column.name)
    doubts = (f"if it is a time: {{type: timestamptz, time_format: {times}}}",) if times == "epoch_ms" else ()
    return Choice(replace(column, type="integer" if small else "bigint"), said, doubts)


def _counts(low: int, high: int) -> str | None:
    """As what since 1970 all of them would be a time of this century."""
    for name, unit in _EPOCHS.items():
        if _PLAUSIBLE[0] * unit <= low and high <= _PLAUSIBLE[1] * unit:
            return name
    return None


def _numeric(observed: Observed, column: Column) -> Choice | None:
    whole = _longest(observed, r"^-?0*([0-9]*?)(?:\..*)?$")
    decimals = _longest(observed, r"^[^.]*\.?([0-9]*)$")
    if whole + decimals > 36:
        return Choice(replace(column, type="double precision"), "numbers of more than 36 digits")
    scale = 2 if decimals <= 2 else decimals if decimals <= 6 else decimals + 2
    precision = min(38, max(whole + 2 + scale, 12 if decimals <= 6 else scale + 2))
    scale = min(scale, precision - whole)
    digits = amount(max(whole, 1), "digit")
    said = f"numbers with at most {digits} before and {decimals} behind the decimal mark"
    return Choice(replace(column, type=f"numeric({precision},{scale})"), said)


def _longest(observed: Observed, pattern: str) -> int:
    """The most characters of what the pattern's group has."""
    parts = pc.replace_substring_regex(observed.values, pattern, r"\1")
    return int(pc.max(pc.binary_length(parts)).as_py())


# -- times and texts -----------------------------------------------------------------------------


def _time(observed: Observed, column: Column, dialect: Dialect) -> Choice | None:
    found = times_of(observed, dialect)
    if found is None:
        return None
    formats = next(iter(found.orders.values()))
    kind = "days" if found.type == "date" else "times"
    timed = replace(column, type=found.type, time_formats=formats)
    said = f"{kind} as {' or '.join(formats)}"
    local = found.type != "date" and not found.says_zone
    return Choice(timed, said, (), found if len(found.orders) > 1 else None, local)


def _text(observed: Observed, name: str, nulls: tuple[str, ...]) -> Choice:
    column = Column(name, "text", nullable=bool(observed.empty), nulls=("", *nulls))
    if not observed.different:
        nothing = NEVER_FILLED if observed.rows else "the file has no rows, so nothing says its type"
        return Choice(replace(column, nullable=True), nothing)
    doubts: tuple[str, ...] = ()
    if observed.all_match("[0-9]+"):
        doubts = ("digits, some behind a zero or too many for a number: text keeps them",)
    if observed.all_match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}.*"):
        doubts = ("they look like times, but in no one format that is known",)
    listed = observed.values.to_pylist() if observed.different <= _FEW <= observed.rows // 4 else []
    few = all(len(text) <= _MOST_SHOWN for text in listed)
    said = f"texts: {', '.join(sorted(listed))}" if listed and few else "texts"
    return Choice(column, _evidence(observed, said, nulls), doubts)
