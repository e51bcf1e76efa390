"""The words of a declaration, each with the values it may have.

Belongs here: what one word may say, by itself, and what is said of it in the reference. Does not belong
here: rules that several words have to keep together (``rules``), and what they come to (``declaring``).

Everything that arrives is text, or lists and mappings of text (``document``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

MARKS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "point": ".",
    "space": " ",
    "apostrophe": "'",
    "backslash": "\\",
    "none": None,
}
ENCODINGS = ("utf-8", "cp1252", "iso-8859-1", "iso-8859-15")
TIME_FORMATS = ("iso", "epoch_s", "epoch_ms", "epoch_us")
DIRECTIVES = "YmdHMSfyzbBpI%"


def _mark(text: Any) -> str | None:
    if not isinstance(text, str):
        raise ValueError("a name or one character")
    if not text:
        raise ValueError("it is empty; what YAML takes for its own, such as | and #, stands in quotes")
    if text in MARKS:
        return MARKS[text]
    if len(text) == 1 and text.isascii() and text not in "\n\r\0" and not text.isalnum():
        return text
    raise ValueError(f"{text!r} is neither one character nor one of {', '.join(MARKS)}")


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _yes_or_no(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    raise ValueError(f"{value!r} is neither true nor false")


def _whole(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        return int(value)
    raise ValueError(f"{value!r} is no whole number")


def _not_empty(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("the list is empty")
    if len(set(values)) < len(values):
        raise ValueError("a value stands twice in the list")
    return values


def encoding_name(value: str) -> str:
    """An encoding in one spelling. Raises ValueError."""
    found = value.lower().replace("_", "-").replace("utf8", "utf-8").replace("windows-1252", "cp1252")
    found = found.replace("latin-1", "iso-8859-1").replace("latin1", "iso-8859-1")
    if found not in ENCODINGS:
        raise ValueError(f"{value!r} is none of {', '.join(ENCODINGS)}")
    return found


def _time_format(value: str) -> str:
    if value in TIME_FORMATS:
        return value
    if "%" not in value:
        raise ValueError(f"{value!r} is none of {', '.join(TIME_FORMATS)}, and no format like %Y-%m-%d")
    unknown = [found for found in re.findall(r"%(.?)", value) if found == "" or found not in DIRECTIVES]
    if unknown:
        known = " ".join("%" + letter for letter in DIRECTIVES)
        raise ValueError(f"{value!r} has %{unknown[0]}; what is known is {known}")
    return value


def _table(value: str) -> str:
    if not re.fullmatch(r"([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,62}", value, re.ASCII):
        raise ValueError(f"{value!r} is no schema.name of lower-case letters, digits and _, 63 at most each")
    return value


def _share(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?%|0?\.[0-9]+|[01]", value, re.ASCII):
        return value
    raise ValueError(f"{value!r} is no share such as 1% or 0.01")


def _duration(value: str) -> str:
    if re.fullmatch(r"[1-9][0-9]{0,4} (minute|hour|day|week)s?", value, re.ASCII):
        return value
    raise ValueError(f"{value!r} is no time such as 2 hours or 1 day")


def _owner(value: str) -> str:
    if re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+", value):
        return value
    raise ValueError(f"{value!r} is neither an address of e-mail nor team:name")


Mark = Annotated[str | None, BeforeValidator(_mark)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Whole = Annotated[int, BeforeValidator(_whole)]
Texts = Annotated[list[str], BeforeValidator(_one_or_more), AfterValidator(_not_empty)]
Encoding = Annotated[str, AfterValidator(encoding_name)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
Owner = Annotated[str, AfterValidator(_owner)]


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, regex_engine="rust-regex")


class ConcatWords(_Words):
    """A text made of several columns of the file."""

    columns: Annotated[list[str], AfterValidator(_not_empty)]
    with_: str = Field("", alias="with")


class ColumnWords(_Words):
    """One column. `name: type` alone is short for `name: {type: …}`."""

    type: str = Field(description="PostgreSQL's type; ` null` behind it permits that there is no value.")
    from_: Texts | None = Field(
        None,
        alias="from",
        description="Its name in the file, in JSON lines a path (`a.b.c`); of a list, whichever is there.",
    )
    concat: ConcatWords | None = Field(
        None, description='Several columns of the file as one text: `{columns: [Date, Time], with: " "}`.'
    )
    at: Whole | None = Field(
        None, description="Its place in a file without a header, counted from 1; needs `width`."
    )
    time_format: Annotated[list[TimeFormat], BeforeValidator(_one_or_more), AfterValidator(_not_empty)] = (
        Field(
            ["iso"],
            description="`iso`, `epoch_s`, `epoch_ms`, `epoch_us` or a format such as `%d.%m.%Y %H:%M`; of a "
            "list, the first that fits.",
        )
    )
    zone: str | None = Field(
        None, description="The time zone of local times, such as `Europe/Berlin`; UTC where nothing is said."
    )
    fold: Literal["first", "second"] | None = Field(
        None, description="Which of two is meant where a local time occurs twice; else it is refused."
    )
    trim: YesOrNo = Field(False, description="Whether blanks around the value are cut off before it is read.")
    remove: str = Field("", description="Characters that are taken out of a number before it is read: `$`.")
    nulls: Annotated[list[str], BeforeValidator(_one_or_more)] | None = Field(
        None, description="Texts that stand for no value, in place of the feed's."
    )
    in_: Texts | None = Field(None, alias="in", description="The values that it may have.")
    min: str | None = Field(None, description="The smallest value: a number, a time, `now - 90 days`.")
    max: str | None = Field(None, description="The largest value: a number, a time, `now + 1 day`.")
    greater_than: str | None = Field(None, description="What a number has to be above.")
    match: str | None = Field(None, description="A regular expression (RE2) that the whole value matches.")
    required_when: dict[str, Texts] | None = Field(
        None, description="Where there has to be a value: `{event: purchase}`."
    )
    absent_when: dict[str, Texts] | None = Field(
        None, description="Where there may be none: `{event: [view, search]}`."
    )
    about: str = Field("", description="What it is; shown in the UI.")


class FeedWords(_Words):
    """A feed: one file `NAME.yaml`."""

    about: str = Field("", description="What the feed is; shown in the UI.")
    owners: Annotated[list[Owner], BeforeValidator(_one_or_more)] = Field(
        [], description="Who is asked about it: addresses of e-mail, or `team:name`."
    )
    table: Annotated[str, AfterValidator(_table)] | None = Field(
        None, description="The table, where it is not called as the feed is: `schema.name`."
    )
    freshness: Annotated[str, AfterValidator(_duration)] | None = Field(
        None, description="How long there may be no new file: `2 hours`, `1 day`."
    )
    reject_share: Annotated[str, AfterValidator(_share)] | None = Field(
        None, description="How many rows may be refused before a check warns: `1%`."
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        "csv", description="What the files are. Whether they are packed is seen by their content."
    )
    delimiter: Mark = Field(",", description="What stands between two fields.")
    quote: Mark = Field(
        '"', description="What a field may be put in; `none`: a quote is a character as any other."
    )
    escape: Mark = Field(
        None, description="`backslash` for files that have it before a quote or a delimiter."
    )
    decimal: Mark = Field(".", description="What stands before the decimals of a number.")
    thousands: Mark = Field(None, description="What may stand between groups of three digits.")
    encoding: Annotated[list[Encoding], BeforeValidator(_one_or_more), AfterValidator(_not_empty)] = Field(
        ["utf-8"], description="The encoding; of a list, the first that the whole file is in."
    )
    nulls: Annotated[list[str], BeforeValidator(_one_or_more)] = Field(
        [""], description="Texts that stand for no value, such as `NA` or `\\N`; null of the format does."
    )
    header: YesOrNo = Field(True, description="Whether the first line has the names of the columns.")
    skip: Whole = Field(0, description="How many lines stand above the header.")
    width: Whole | None = Field(
        None, description="How many fields a line has, where there is no header; `at` needs it."
    )
    columns: dict[str, ColumnWords] = Field(description="The columns of the table, in its order.")
    extra: Literal["refuse", "store", "ignore"] = Field(
        "refuse", description="Columns or keys that are not declared; `store` keeps them as jsonb in `extra`."
    )
    missing: Literal["refuse", "null"] = Field(
        "refuse",
        description="Declared columns that a file or a line lacks; `null` only where that is permitted.",
    )
    primary_key: Texts | None = Field(None, description="The columns by which a row is known.")
    numbered: YesOrNo = Field(
        False, description="Whether rows of one key are told apart by how-manieth they are in their file."
    )
    identity: Literal["content", "position"] | None = Field(
        None, description="By what a row is known that has no key: by all of it, or by its file and line."
    )
    on_conflict: Literal["reject", "ignore", "update"] | None = Field(
        None,
        description="The same key with other content: a reject (the default), nothing, or the newer stays.",
    )
    version: str | None = Field(
        None,
        description="With `on_conflict: update`: the column whose higher value is the newer row. Without "
        "it that is the row of the file that landed later, and of one file that of the later line.",
    )
    explode: str | None = Field(
        None, description="The path of a list in a line of JSON: a row for each element."
    )
    checks: dict[str, str] = Field({}, description="By name, SQL about one row that must not be false.")
    roles: dict[Literal["time", "user", "product", "step", "amount"], str] = Field(
        {}, description="Which column is the time, the user, the product, the step, the amount."
    )
