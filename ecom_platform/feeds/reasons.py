"""Why a record is not stored: the closed list of reasons.

Belongs here: the codes and a sentence for each. Does not belong here: which record has which (``rows``,
``types``).
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """One kind of fault; the column is said beside it. Tables and scripts keep the codes."""

    ROW_TOO_LONG = "row_too_long"
    NUL_BYTE = "nul_byte"
    INVALID_UTF8 = "invalid_utf8"
    UNBALANCED_QUOTES = "unbalanced_quotes"
    MISSING_FIELDS = "missing_fields"
    EXTRA_FIELDS = "extra_fields"
    INVALID_JSON = "invalid_json"
    MISSING_KEY = "missing_key"
    UNDECLARED_KEY = "undeclared_key"
    DUPLICATE_KEY = "duplicate_key"
    LONE_SURROGATE = "lone_surrogate"
    NOT_AN_OBJECT = "not_an_object"
    NOT_A_LIST = "not_a_list"
    NESTED_VALUE = "nested_value"
    EMPTY_VALUE = "empty_value"
    NOT_A_UUID = "not_a_uuid"
    NOT_A_NUMBER = "not_a_number"
    NOT_AN_INTEGER = "not_an_integer"
    NOT_FINITE = "not_finite"
    TOO_MANY_DECIMALS = "too_many_decimals"
    NOT_A_TIME = "not_a_time"
    NONEXISTENT_TIME = "nonexistent_time"
    AMBIGUOUS_TIME = "ambiguous_time"
    NOT_A_BOOLEAN = "not_a_boolean"
    NOT_JSON = "not_json"
    NOT_IN_LIST = "not_in_list"
    NO_MATCH = "no_match"
    OUT_OF_RANGE = "out_of_range"
    REQUIRED = "required"
    MUST_BE_ABSENT = "must_be_absent"
    ID_CONFLICT = "id_conflict"
    REFUSED_BY_DATABASE = "refused_by_database"

    @property
    def description(self) -> str:
        """One sentence for the docs and the UI."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS: dict[Reason, str] = {
    Reason.ROW_TOO_LONG: "The line is longer than 1 MiB.",
    Reason.NUL_BYTE: (
        "The record contains a NUL byte (in JSON also as `\\u0000`), which PostgreSQL cannot store in text."
    ),
    Reason.INVALID_UTF8: "The record is not valid UTF-8; for files of Windows: `encoding: [utf-8, cp1252]`.",
    Reason.UNBALANCED_QUOTES: (
        "A quote opens inside a value, is followed by something other than the delimiter or the line end, is "
        "not closed within 64 KiB, or has what looks like another row before it closes; this line alone is "
        "refused."
    ),
    Reason.MISSING_FIELDS: "The record has fewer fields than the file has columns.",
    Reason.EXTRA_FIELDS: "The record has more fields than the file has columns.",
    Reason.INVALID_JSON: (
        "The line is no JSON: it is cut off, breaks the grammar, or is nested more than 200 deep."
    ),
    Reason.MISSING_KEY: (
        "The line of JSON has nothing at the column's `from`, or at `explode`; where there may be no value, "
        "`missing: null` permits that."
    ),
    Reason.UNDECLARED_KEY: (
        "The line of JSON has a key that no column reads; `extra: store` or `extra: ignore` permits that."
    ),
    Reason.DUPLICATE_KEY: (
        "A key stands twice in one object of the line, or two of the names of one column are there, and "
        "nobody knows which is meant."
    ),
    Reason.LONE_SURROGATE: "A text of the line has half of a character: `\\ud83d` without its other half.",
    Reason.NOT_AN_OBJECT: "The line, or what a column's `from` goes through, is JSON and no object.",
    Reason.NOT_A_LIST: "What `explode` names is no list.",
    Reason.NESTED_VALUE: (
        "There is an object or a list where the column takes one value: `from: a.b` takes what is in it, the "
        "type jsonb all of it."
    ),
    Reason.EMPTY_VALUE: "There is no value where every row has to have one.",
    Reason.NOT_A_UUID: "The value is not a UUID of 36 characters: 8-4-4-4-12 hexadecimal digits.",
    Reason.NOT_A_NUMBER: "The value is not a plain decimal number (no sign +, exponent or blanks).",
    Reason.NOT_AN_INTEGER: "The value is not a whole number (no sign +, exponent or blanks).",
    Reason.NOT_FINITE: "The value is NaN or infinite.",
    Reason.TOO_MANY_DECIMALS: "The number has more decimals that are not zero than its column keeps.",
    Reason.NOT_A_TIME: "The value is not an existing date or time in the declared form.",
    Reason.NONEXISTENT_TIME: "The local time does not exist: clocks were put forward over it.",
    Reason.AMBIGUOUS_TIME: "The local time occurs twice, and `fold` does not say which is meant.",
    Reason.NOT_A_BOOLEAN: "The value is neither true nor false.",
    Reason.NOT_JSON: "The value is no JSON that PostgreSQL can store.",
    Reason.NOT_IN_LIST: "The value is none of those that the column may have.",
    Reason.NO_MATCH: "The value does not match the declared pattern.",
    Reason.OUT_OF_RANGE: "The value is beyond what its column may have or can hold.",
    Reason.REQUIRED: "There is no value where another column's demands one.",
    Reason.MUST_BE_ABSENT: "There is a value where another column's permits none.",
    Reason.ID_CONFLICT: "Another row with this key and other content is already stored.",
    Reason.REFUSED_BY_DATABASE: (
        "PostgreSQL refused the row: a constraint, an index, a type or a trigger that somebody gave the "
        "table; the column `message` says which."
    ),
}
