"""Synthetic events, seeded and vectorised, as Arrow tables or as files that land.

Belongs here: what a plausible shop looks like (its products, visitors, rhythm of the day), how
its sessions become events, and how the events become files. Does not belong here: the columns
themselves (``event``), and anything that knows a database or a stream.

A *session* is one visitor looking at one product: always a view, sometimes a cart some minutes
later, sometimes a purchase after that. Sessions are drawn in blocks of a fixed number of events;
block ``i`` of ``n`` covers the ``i``-th share of the traffic, so files follow one another in time.
Every block has a random stream of its own, derived from the seed: memory stays bounded, and
neither the file size nor the reader's pace changes a single event.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.feeds import arrow
from ecom_platform.shop.event import (
    ARROW_SCHEMA,
    CATEGORIES,
    COUNTRIES,
    DEVICES,
    EARLIEST_EVENT_TIME,
    EVENT_TYPES,
    HEADER,
)

Array = npt.NDArray[Any]

BLOCK_EVENTS = 131_072
MAX_USERS = 1_000_000

_PRODUCT_IDS = tuple(f"PROD{number}" for number in range(1000, 10_000))
_MARKETS = 60
_MIN_CENTS, _MAX_CENTS = 10_00, 500_00

# The share of sessions that reach each step after the view.
_CART_SHARE, _PURCHASE_SHARE = 0.30, 0.12
# A step follows the one before it after this many seconds.
_STEP_SECONDS = (20.0, 1_200.0)
# No session starts later than this before the as-of time, so that all its steps lie before it.
_LAST_START = timedelta(hours=1)

# Visits per hour of the day (UTC), and per day of the week from Monday.
_HOUR_WEIGHTS = np.array(
    [3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 12, 11, 10, 10, 11, 13, 15, 17, 18, 16, 11, 6], dtype=np.float64
)
_DAY_WEIGHTS = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.25])
_DEVICE_WEIGHTS = np.array([0.55, 0.35, 0.10])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US
_DAY_US = 24 * _HOUR_US


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """What to generate; together with the seed it fixes every byte of the files but their names.

    ``as_of`` is the end of the period, an aware UTC time; ``days`` is its length.
    """

    seed: int
    as_of: datetime
    events: int = 30_000
    rows_per_file: int = 1_000
    users: int = 1_000
    days: int = 90

    def __post_init__(self) -> None:
        self._check_range("events", self.events, 1, None)
        self._check_range("seed", self.seed, 0, None)
        self._check_range("rows_per_file", self.rows_per_file, 1, None)
        self._check_range("users", self.users, 1, MAX_USERS)
        self._check_range("days", self.days, 1, None)
        self._check_as_of()

    @staticmethod
    def _check_range(name: str, value: int, minimum: int, maximum: int | None) -> None:
        if value < minimum or (maximum is not None and value > maximum):
            limits = f"at least {minimum}" if maximum is None else f"between {minimum} and {maximum}"
            raise UsageError(f"The generator's {name} is {value}.", f"Give a whole number that is {limits}.")

    def _check_as_of(self) -> None:
        if self.as_of.utcoffset() != timedelta(0):
            raise UsageError(
                f"The generator's as_of is {self.as_of.isoformat()}, which is not in UTC.",
                "Give a time with the offset +00:00.",
            )
        if self.days > (self.as_of - EARLIEST_EVENT_TIME).days:
            raise UsageError(
                f"The generator's period of {self.days} days before {self.as_of.isoformat()} starts before "
                f"{EARLIEST_EVENT_TIME.date()}, the earliest plausible event.",
                "Give fewer days or a later as_of.",
            )


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file that has landed: its name, its events and its size."""

    name: str
    rows: int
    bytes: int


def generate_tables(config: GeneratorConfig) -> Iterator[pa.Table]:
    """The events as typed tables in ``ARROW_SCHEMA``, one per file of ``rows_per_file`` rows."""
    pending: list[pa.Table] = []
    shop = _Shop(config)
    for block in _blocks(shop):
        table = block.to_table()
        for cut in _cuts(block, config):
            pending.append(table.slice(cut.begin, cut.end - cut.begin))
            if cut.completes_file:
                yield pa.concat_tables(pending)
                pending = []


def write_files(
    config: GeneratorConfig,
    directory: Path,
    started_at: datetime,
    on_file: Callable[[WrittenFile], None] | None = None,
) -> list[WrittenFile]:
    """Write the events to CSV files in ``directory`` and return them in the order of their names.

    All files are staged under hidden temporary names first and renamed into place at the end, so
    that nobody reads a part of a file, nor a part of the set. On any failure, an interruption
    included, every file of this call is removed again. ``on_file`` is called as each one appears.
    Raises :class:`StorageError` when the folder cannot be written or its disk is full.
    """
    staging = _Staging(directory, started_at)
    try:
        staging.prepare()
        for block in _blocks(_Shop(config)):
            text = block.to_csv()
            line_ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
            for cut in _cuts(block, config):
                first_byte = line_ends[cut.begin - 1] if cut.begin else 0
                staging.append(memoryview(text)[first_byte : line_ends[cut.end - 1]], cut)
        return staging.publish(on_file)
    except OSError as error:
        staging.remove_all()
        raise StorageError(
            f"Writing event files to {directory} failed: {error.strerror or error}.",
            "Free some space or name a folder that can be written and try again; nothing was left behind.",
        ) from error
    except BaseException:
        staging.remove_all()
        raise


# -- the shop ------------------------------------------------------------------------------------


class _Shop:
    """What stays the same for all blocks of one configuration, derived from its seed."""

    def __init__(self, config: GeneratorConfig) -> None:
        # Importing Faker takes longer than generating the default 30,000 events.
        from faker import Faker

        self.config = config
        fake = Faker()
        fake.seed_instance(config.seed)
        codes = (fake.country_code() for _ in range(8 * _MARKETS))
        self.markets = tuple(dict.fromkeys(code for code in codes if code in COUNTRIES))[:_MARKETS]
        categories = fake.random_elements(range(len(CATEGORIES)), length=len(_PRODUCT_IDS), unique=False)
        self.product_category = np.array(categories, dtype=np.int64)
        rng = np.random.default_rng([config.seed])
        self.product_cents = _base_prices(rng)
        self.product_by_rank = rng.permutation(len(_PRODUCT_IDS))
        self.popularity = _cumulative(1.0 / np.arange(3, len(_PRODUCT_IDS) + 3))
        market_share = _cumulative(1.0 / np.arange(2, len(self.markets) + 2))
        self.user_market = np.searchsorted(market_share, rng.random(config.users), side="right")
        self.device_share = _cumulative(_DEVICE_WEIGHTS)

    @cached_property
    def traffic(self) -> tuple[Array, Array]:
        """Cumulative share of the visits at the edges of each hour of the period: (share, microseconds)."""
        end = _to_microseconds(self.config.as_of)
        edges = np.arange(end - self.config.days * _DAY_US, end + 1, _HOUR_US)
        edges = edges[edges <= end - _LAST_START // _MICROSECOND]
        hours = edges[:-1] // _HOUR_US
        weekdays = (hours // 24 + 3) % 7  # 1970-01-01 was a Thursday
        weights = _HOUR_WEIGHTS[hours % 24] * _DAY_WEIGHTS[weekdays]
        return np.concatenate(([0.0], _cumulative(weights))), edges

    @cached_property
    def texts(self) -> _Texts:
        return _Texts(self)


def _base_prices(rng: np.random.Generator) -> Array:
    """One price per product in cents: many cheap ones, few dear ones."""
    cents = np.exp(rng.normal(np.log(60_00), 0.8, len(_PRODUCT_IDS))).astype(np.int64)
    cents = cents // 100 * 100 + 99
    # Room for the sale price above the minimum.
    return np.clip(cents, _MIN_CENTS * 10 // 9 + 1, _MAX_CENTS)


def _cumulative(weights: Array) -> Array:
    """Running shares of ``weights``; the last is exactly 1, so that no draw falls behind it."""
    shares = np.cumsum(weights / weights.sum())
    shares[-1] = 1.0
    return shares


def _to_microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


# -- blocks of events ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """Events as codes: an index into a vocabulary, cents, or microseconds since 1970."""

    shop: _Shop
    first_row: int
    event_id: Array
    user: Array
    product: Array
    step: Array
    time_us: Array
    cents: Array  # 0 on views
    device: Array

    @property
    def rows(self) -> int:
        return len(self.user)

    def to_table(self) -> pa.Table:
        category = self.shop.product_category[self.product]
        market = self.shop.user_market[self.user]
        columns = [
            arrow.fixed_width(self.event_id, pa.binary(16)),
            arrow.fixed_width(self.user + 1, pa.int64()),
            _words(self.product, _PRODUCT_IDS),
            _words(self.step, EVENT_TYPES),
            arrow.fixed_width(self.time_us, pa.timestamp("us", "UTC")),
            arrow.decimals(self.cents, ARROW_SCHEMA.field("price").type),
            _words(category, CATEGORIES),
            _words(self.device, DEVICES),
            _words(market, self.shop.markets),
        ]
        return pa.Table.from_arrays(columns, schema=ARROW_SCHEMA)

    def to_csv(self) -> bytes:
        return self.shop.texts.lines(self)


def _words(codes: Array, vocabulary: Sequence[str]) -> pa.Array:
    return arrow.strings(vocabulary).take(arrow.fixed_width(codes, pa.int64()))


def _blocks(shop: _Shop) -> Iterator[_Block]:
    total = shop.config.events
    count = -(-total // BLOCK_EVENTS)
    for number in range(count):
        first_row = number * BLOCK_EVENTS
        yield _block(shop, number, first_row, min(BLOCK_EVENTS, total - first_row))


def _block(shop: _Shop, number: int, first_row: int, rows: int) -> _Block:
    rng = np.random.default_rng([shop.config.seed, number + 1])
    session, step = _funnel(rng, rows)
    sessions = int(session[-1]) + 1
    share = (first_row + rng.random(sessions) * rows) / shop.config.events
    time_us = _step_times(rng, np.interp(share, *shop.traffic), session, step)
    order = np.argsort(time_us, kind="stable")
    session, step, time_us = session[order], step[order], time_us[order]
    rank = np.searchsorted(shop.popularity, rng.random(sessions), side="right")
    product = shop.product_by_rank[rank][session]
    return _Block(
        shop=shop,
        first_row=first_row,
        event_id=_random_uuids(rng, rows),
        user=rng.integers(shop.config.users, size=sessions)[session],
        product=product,
        step=step,
        time_us=time_us,
        cents=np.where(step == 0, 0, _prices_at(shop, product, time_us)),
        device=np.searchsorted(shop.device_share, rng.random(sessions), side="right")[session],
    )


def _funnel(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
    """The session and the step (0 view, 1 cart, 2 purchase) of each of ``rows`` events.

    The last session is cut short where needed, which leaves it without its later steps.
    """
    luck = rng.random(rows)
    steps = 1 + (luck < _CART_SHARE) + (luck < _PURCHASE_SHARE)
    session = np.repeat(np.arange(rows), steps)[:rows]
    first_event = np.cumsum(steps) - steps
    return session, np.arange(rows) - first_event[session]


def _step_times(rng: np.random.Generator, start_us: Array, session: Array, step: Array) -> Array:
    delays = rng.uniform(*_STEP_SECONDS, size=(2, len(start_us))) * _SECOND_US
    offsets = np.vstack((np.zeros(len(start_us)), delays[0], delays[0] + delays[1]))
    return start_us.astype(np.int64)[session] + offsets.astype(np.int64)[step, session]


def _prices_at(shop: _Shop, product: Array, time_us: Array) -> Array:
    """The price in cents: stable, but for one week in eight, in which the product is on sale."""
    cents = shop.product_cents[product]
    week = time_us // (7 * _DAY_US)
    on_sale = (product * 7 + week * 3) % 8 == 0
    return np.where(on_sale, cents * 9 // 10, cents)


def _random_uuids(rng: np.random.Generator, rows: int) -> Array:
    """Version 4 identifiers (RFC 9562) as a matrix of ``rows`` by 16 bytes."""
    octets = np.frombuffer(rng.bytes(16 * rows), dtype=np.uint8).reshape(rows, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    return octets


# -- events as text ------------------------------------------------------------------------------


class _Texts:
    """Turns codes into CSV lines by looking up ready-made pieces of text.

    Each piece has a fixed width, padded with NUL bytes; a line is the pieces side by side, and
    the padding, which no event contains, is dropped from all lines at once at the end.
    """

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop
        self._first_day = _to_microseconds(shop.config.as_of) // _DAY_US - shop.config.days
        self._hex = _bytes(f"{octet:02x}" for octet in range(256))
        self._users = _bytes(f",{user}," for user in range(1, shop.config.users + 1))
        self._products = _bytes(f"{product_id}," for product_id in _PRODUCT_IDS)
        self._steps = _bytes(f"{event_type}," for event_type in EVENT_TYPES)
        self._days = _bytes(f"{self._date(day)} " for day in range(shop.config.days + 1))
        self._minutes = _bytes(f"{minute // 60:02}:{minute % 60:02}:" for minute in range(24 * 60))
        self._seconds = _bytes(f"{second:02}." for second in range(60))
        self._thousandths = _bytes(f"{number:03}" for number in range(1_000))
        self._last_thousandths = _bytes(f"{number:03}," for number in range(1_000))
        self._units = _bytes(("", *(str(unit) for unit in range(1, _MAX_CENTS // 100 + 1))))
        self._hundredths = _bytes((",", *(f".{hundredth:02}," for hundredth in range(100))))
        self._tails = _bytes(
            f"{category},{device},{market}\n"
            for category in CATEGORIES
            for device in DEVICES
            for market in shop.markets
        )

    def _date(self, day: int) -> str:
        return (_EPOCH + timedelta(days=int(self._first_day) + day)).date().isoformat()

    def lines(self, block: _Block) -> bytes:
        day, in_day = np.divmod(block.time_us, _DAY_US)
        second, microsecond = np.divmod(in_day, _SECOND_US)
        pieces = (
            (self._users, block.user),
            (self._products, block.product),
            (self._steps, block.step),
            (self._days, day - self._first_day),
            (self._minutes, second // 60),
            (self._seconds, second % 60),
            (self._thousandths, microsecond // 1_000),
            (self._last_thousandths, microsecond % 1_000),
            (self._units, block.cents // 100),
            (self._hundredths, np.where(block.cents > 0, block.cents % 100 + 1, 0)),
            (self._tails, self._tail_codes(block)),
        )
        layout = [("event_id", "S36")] + [(str(i), table.dtype) for i, (table, _) in enumerate(pieces)]
        records = np.zeros(block.rows, dtype=layout)
        records["event_id"] = self._uuid_texts(block.event_id)
        for i, (table, codes) in enumerate(pieces):
            records[str(i)] = table[codes]
        characters = records.view(np.uint8)
        text: bytes = characters[characters != 0].tobytes()
        return text

    def _tail_codes(self, block: _Block) -> Array:
        category = self._shop.product_category[block.product]
        market = self._shop.user_market[block.user]
        return (category * len(DEVICES) + block.device) * len(self._shop.markets) + market

    def _uuid_texts(self, octets: Array) -> Array:
        digits = self._hex[octets].view(np.uint8).reshape(-1, 32)
        texts = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
        for begin, end, hyphens in ((0, 8, 0), (8, 12, 1), (12, 16, 2), (16, 20, 3), (20, 32, 4)):
            texts[:, begin + hyphens : end + hyphens] = digits[:, begin:end]
        return texts.view("S36").ravel()


def _bytes(texts: Iterable[str]) -> Array:
    return np.array([text.encode("ascii") for text in texts])


# -- events in files -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cut:
    """The rows ``begin`` to ``end`` of a block, all of which belong to the file ``number``."""

    number: int
    begin: int
    end: int
    completes_file: bool


def _cuts(block: _Block, config: GeneratorConfig) -> Iterator[_Cut]:
    begin = 0
    while begin < block.rows:
        number, done = divmod(block.first_row + begin, config.rows_per_file)
        end = min(block.rows, begin + config.rows_per_file - done)
        last_row = block.first_row + end
        completes = last_row % config.rows_per_file == 0 or last_row == config.events
        yield _Cut(number, begin, end, completes)
        begin = end


class _Staging:
    """The files of one call, first hidden, then published together, or removed together."""

    def __init__(self, directory: Path, started_at: datetime) -> None:
        self._directory = directory
        self._started_at = started_at.astimezone(UTC)
        self._prefix = ""
        self._files: list[WrittenFile] = []
        self._open: BinaryIO | None = None
        self._rows = 0

    def prepare(self) -> None:
        """Create the folder and choose a prefix that no file in it has, hidden ones included."""
        self._directory.mkdir(parents=True, exist_ok=True)
        taken = {path.name.removeprefix(".")[:_PREFIX_LENGTH] for path in self._directory.iterdir()}
        moment = self._started_at
        while _prefix(moment) in taken:
            moment += _MICROSECOND
        self._prefix = _prefix(moment)

    def append(self, text: memoryview, cut: _Cut) -> None:
        """Write ``text`` to the file of ``cut``, and finish that file if nothing follows."""
        if self._open is None:
            name = f"{self._prefix}_{cut.number + 1:04}.csv"
            self._open = self._hidden(name).open("xb")
            self._files.append(WrittenFile(name, 0, 0))
            self._open.write(f"{HEADER}\n".encode("ascii"))
        self._open.write(text)
        self._rows += cut.end - cut.begin
        if cut.completes_file:
            self._finish()

    def _finish(self) -> None:
        assert self._open is not None  # noqa: S101 - narrows the type; append() has just opened it
        size = self._open.tell()
        # Flushed to the operating system, not to the platters: the seed writes them again.
        self._open.close()
        self._files[-1] = WrittenFile(self._files[-1].name, self._rows, size)
        self._open, self._rows = None, 0

    def publish(self, on_file: Callable[[WrittenFile], None] | None) -> list[WrittenFile]:
        for file in self._files:
            self._hidden(file.name).rename(self._directory / file.name)
            if on_file is not None:
                on_file(file)
        return self._files

    def remove_all(self) -> None:
        if self._open is not None:
            self._close_quietly(self._open)
        for file in self._files:
            for path in (self._hidden(file.name), self._directory / file.name):
                # The failure that led here is the one to report.
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    @staticmethod
    def _close_quietly(file: BinaryIO) -> None:
        # Closing writes what is buffered, which a full disk refuses once more.
        with contextlib.suppress(OSError):
            file.close()

    def _hidden(self, name: str) -> Path:
        return self._directory / f".{name}.tmp"


def _prefix(moment: datetime) -> str:
    return f"user_events_{moment:%Y%m%d_%H%M%S_%f}"


_PREFIX_LENGTH = len(_prefix(_EPOCH))
