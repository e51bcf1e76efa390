"""A feed, declared: what its files look like, what its columns are, and what makes two rows the same.

Belongs here: the declaration as plain data, every word resolved to what holds, so that it travels to tasks
and needs nothing to be read. Does not belong here: the YAML that people write (``document``, ``model``),
how a text becomes a value (``types``), and how bytes become fields (``files``).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """How lines become fields. Each mark is one ASCII character, or ``None`` where there is none.

    ``skip`` counts physical lines above the header, or above the first row where there is no header.
    ``width`` is the number of fields of every line; ``None`` where the header says it.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encodings: tuple[str, ...] = ("utf-8",)
    header: bool = True
    skip: int = 0
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Concat:
    """A text made of several columns of the file, by their names there."""

    columns: tuple[str, ...]
    separator: str


@dataclass(frozen=True, slots=True)
class When:
    """That the declared column ``column`` has one of these values, as texts of the file."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table.

    ``type`` is PostgreSQL's, in one spelling: ``text``, ``integer``, ``bigint``, ``numeric(p,s)``,
    ``double precision``, ``boolean``, ``date``, ``timestamp``, ``timestamptz``, ``uuid``, ``jsonb``.
    ``sources`` are the names that it may have in a file, the first of which is its own for identity. ``at``
    counts fields from 1. Bounds are texts: a value as a file writes it in ISO form, or ``now + 1 day``.
    ``nulls`` are the texts that stand for no value.
    """

    name: str
    type: str
    nullable: bool = False
    sources: tuple[str, ...] = ()
    concat: Concat | None = None
    at: int | None = None
    time_formats: tuple[str, ...] = ("iso",)
    zone: str = "UTC"
    fold: str | None = None
    trim: bool = False
    remove: str = ""
    nulls: tuple[str, ...] = ("",)
    values: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    greater_than: str | None = None
    match: str | None = None
    required_when: tuple[When, ...] = ()
    absent_when: tuple[When, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: ``name`` is its folder's and its asset's, ``schema`` and ``table`` where its rows are.

    ``schema`` is ``None`` for the platform's own. ``primary_key`` names columns; empty where ``identity`` is
    ``"content"`` or ``"position"``. ``on_conflict`` is ``reject``, ``ignore`` or ``update``; ``extra`` is
    ``refuse``, ``store`` or ``ignore``; ``missing`` is ``refuse`` or ``null``. ``roles`` maps a role to a
    column, ``checks`` a name to the SQL of one row.
    """

    name: str
    columns: tuple[Column, ...]
    table: str
    schema: str | None = None
    about: str = ""
    owners: tuple[str, ...] = ()
    freshness: str | None = None
    reject_share: str | None = None
    format: str = "csv"
    dialect: Dialect = Dialect()
    extra: str = "refuse"
    missing: str = "refuse"
    primary_key: tuple[str, ...] = ()
    numbered: bool = False
    identity: str | None = None
    on_conflict: str = "reject"
    version: str | None = None
    explode: str | None = None
    checks: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    @property
    def has_header(self) -> bool:
        """Whether its files begin with the names of their columns, in the order of the fields."""
        return self.format == "csv" and self.dialect.header

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the table."""
        return tuple(column.name for column in self.columns)
