"""`hourly_sales` and `conversion_funnel` against a full count by other means, whatever happened before."""

from __future__ import annotations

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.shop import rollups
from ecom_platform.shop.rollups import (
    CONVERSION_FUNNEL,
    HOURLY_SALES,
    Days,
    reconciles,
    reconciles_all,
    refresh,
    refresh_all,
)
from ecom_platform.store.connection import Database
from ecom_platform_tests.examples import examples
from ecom_platform_tests.landing import Landing, csv_file, line
from ecom_platform_tests.waiting import wait_until_counted

ROLLUPS = (HOURLY_SALES, CONVERSION_FUNNEL)
START = datetime(2026, 1, 1, 22, tzinfo=UTC)
STEPS = ("view", "add_to_cart", "purchase")


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def event(draw: random.Random, key: str | None = None) -> bytes:
    """One of few visitors, hours and categories, so that they meet."""
    step = draw.choice(STEPS)
    price = "" if step == "view" else f"{draw.randint(1, 99_999) / 100:.2f}"
    moment = START + timedelta(minutes=draw.randint(0, 240))
    values = (
        key or uuid.UUID(int=draw.getrandbits(128), version=4),
        draw.randint(1, 3),
        "PROD1000",
        step,
        f"{moment:%Y-%m-%d %H:%M:%S}",
        price,
        draw.choice(("Books", "Toys")),
        draw.choice(("Mobile", "Tablet")),
        draw.choice(("DE", "FR")),
    )
    return ",".join(map(str, values)).encode()


def execute(database: Database, sql: str) -> None:
    with database.transaction() as connection:
        connection.execute(sql)


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.open() as connection:
        return connection.execute(sql).fetchall()


def counted(database: Database) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Both tables as a program without SQL would count them."""
    sales: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, 0, Decimal(0), set()])
    funnel: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    for user, step, moment, price, category, device, country in rows(
        database,
        "SELECT user_id, event_type, event_time, price, category, user_device, user_location"
        " FROM user_events",
    ):
        at = STEPS.index(step)
        funnel[moment.date(), category, device, country][at] += 1
        bucket = sales[moment.replace(minute=0, second=0, microsecond=0), category]
        bucket[at] += 1
        if step == "purchase":
            bucket[3] += price
            bucket[4].add(user)
    return (
        {key: (*values[:4], len(values[4])) for key, values in sales.items()},
        {key: tuple(values) for key, values in funnel.items()},
    )


def stored(database: Database) -> tuple[dict[Any, Any], dict[Any, Any]]:
    sales = rows(
        database, "SELECT hour, category, views, carts, purchases, revenue, buyers FROM hourly_sales"
    )
    funnel = rows(
        database,
        "SELECT day, category, user_device, user_location, views, carts, purchases FROM conversion_funnel",
    )
    return {row[:2]: row[2:] for row in sales}, {row[:4]: row[4:] for row in funnel}


def assert_agrees(database: Database) -> None:
    for rollup in ROLLUPS:
        assert reconciles(database, rollup, "check").passed
        refresh(database, rollup)
        assert reconciles(database, rollup, "check").passed
    assert stored(database) == counted(database)
    assert rows(database, "SELECT count(*) FROM pending_files") == [(0,)]
    assert rows(database, "SELECT count(*) FROM pending_events") == [(0,)]
    assert rows(database, "SELECT count(*) FROM hourly_buyers WHERE purchases < 1") == [(0,)]


class Actions:
    """What can happen to the table, by name."""

    def __init__(self, landing: Landing, seed: int) -> None:
        self.landing, self.draw = landing, random.Random(seed)
        self.names: list[str] = []

    def land(self) -> None:
        name = f"{uuid.UUID(int=self.draw.getrandbits(128))}.csv"
        lines = [event(self.draw) for _ in range(self.draw.randint(1, 12))]
        # One that is known already, one that is in conflict with another, one that cannot be read.
        lines += [lines[0], event(self.draw, lines[0].split(b",")[0].decode()), b"bad"]
        (self.landing.zone.landing / name).write_bytes(csv_file(*lines))
        self.names.append(name)
        self.landing.ingest()

    def land_while_refreshing(self) -> None:
        """A refresh runs between the rows of a file and its commit."""
        name = f"{uuid.UUID(int=self.draw.getrandbits(128))}.csv"
        (self.landing.zone.landing / name).write_bytes(csv_file(*(event(self.draw) for _ in range(5))))

        def hook(step: str) -> None:
            if step == "settled":
                self.refresh_one()

        self.landing.load(self.landing.take(), hook)

    def reload(self) -> None:
        if self.names:
            reload_files(self.landing.database, self.landing.zone, [self.draw.choice(self.names)])
            self.landing.ingest()

    def delete(self) -> None:
        some = f"SELECT event_id FROM user_events ORDER BY event_id OFFSET {self.draw.randint(0, 9)} LIMIT 4"
        execute(self.landing.database, f"DELETE FROM user_events WHERE event_id IN ({some})")

    def change(self) -> None:
        some = "SELECT event_id FROM user_events ORDER BY event_id DESC LIMIT 2"
        execute(
            self.landing.database,
            f"UPDATE user_events SET user_id = 2, event_time = event_time + interval '50 minutes', "
            f"price = price + 0.01 WHERE event_id IN ({some})",
        )

    def replay(self) -> None:
        """Rivals of conflicting rows go, so that these can be stored in the place of their rejects."""
        execute(
            self.landing.database,
            "DELETE FROM user_events AS e WHERE EXISTS (SELECT FROM rejected_events AS r"
            " WHERE r.replayed_at IS NULL AND position(e.event_id::text IN convert_from(r.raw, 'UTF8')) > 0)",
        )
        replay_as_they_are(self.landing.database, self.landing.zone)

    def refresh_one(self) -> None:
        refresh(self.landing.database, self.draw.choice(ROLLUPS))

    def count_a_day_anew(self) -> None:
        refresh(self.landing.database, self.draw.choice(ROLLUPS), Days(date(2026, 1, 1), date(2026, 1, 1)))

    def empty(self) -> None:
        execute(self.landing.database, "TRUNCATE user_events")


ACTIONS = [name for name, value in vars(Actions).items() if callable(value) and not name.startswith("_")]


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=10), st.integers(0, 2**32))
def test_as_if_everything_were_counted_anew(landing: Landing, names: list[str], seed: int) -> None:
    actions = Actions(landing, seed)
    for name in names:
        getattr(actions, name)()
    assert_agrees(landing.database)
    for rollup in ROLLUPS:
        refresh(landing.database, rollup, Days())
    assert stored(landing.database) == counted(landing.database)


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


def rows_read(database: Database) -> int:
    """Rows of `user_events` that PostgreSQL has read for anybody, by its own count."""
    wait_until_counted(database)
    ((count,),) = rows(
        database,
        "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE relname = 'user_events'",
    )
    return int(count)


@pytest.mark.parametrize("rollup", ROLLUPS)
def test_the_cost_follows_the_new_rows(landing: Landing, rollup: str) -> None:
    draw = random.Random(1)
    for number in range(4):
        drop(landing, f"{number}.csv", *(event(draw) for _ in range(10_000)))
    refresh(landing.database, rollup)
    drop(landing, "new.csv", *(event(draw) for _ in range(500)))
    before = rows_read(landing.database)
    assert refresh(landing.database, rollup).events == 500
    # The index knows ranges of 32 blocks, about 2,500 rows each.
    assert rows_read(landing.database) - before < 6_000
    before = rows_read(landing.database)
    assert refresh(landing.database, rollup).events == 0
    assert rows_read(landing.database) - before == 0


def test_a_deleted_row_is_subtracted_without_reading_the_table(landing: Landing) -> None:
    draw = random.Random(1)
    drop(landing, "a.csv", *(event(draw) for _ in range(100)))
    refresh(landing.database, HOURLY_SALES)
    execute(landing.database, "DELETE FROM user_events WHERE event_type = 'purchase'")
    before = rows_read(landing.database)
    done = refresh(landing.database, HOURLY_SALES)
    assert (done.files, done.events) == (0, done.notes)
    assert rows_read(landing.database) - before == 0
    assert rows(landing.database, "SELECT sum(revenue), sum(buyers) FROM hourly_sales") == [(Decimal(0), 0)]
    assert_agrees(landing.database)


@pytest.mark.parametrize(("broken", "sound"), [ROLLUPS, ROLLUPS[::-1]])
def test_one_that_fails_does_not_keep_the_other(landing: Landing, broken: str, sound: str) -> None:
    draw = random.Random(2)
    drop(landing, "a.csv", *(event(draw) for _ in range(100)))
    execute(landing.database, f"ALTER TABLE {broken} RENAME TO elsewhere")
    done = []
    with pytest.raises(psycopg.errors.UndefinedTable, match=broken):
        for rollup, _ in refresh_all(landing.database, ROLLUPS):
            done.append(rollup)
    assert done == [sound]
    assert rows(landing.database, "SELECT rollup, count(*)::int FROM pending_files GROUP BY 1") == [
        (broken, 1)
    ]
    checks = dict.fromkeys(ROLLUPS, "check")
    findings = []
    with pytest.raises(psycopg.errors.UndefinedTable, match=broken):
        for rollup, finding in reconciles_all(landing.database, checks):
            findings.append((rollup, finding.passed))
    assert findings == [(sound, True)]


def test_loads_and_refreshes_at_the_same_time(landing: Landing) -> None:
    draw = random.Random(3)
    units = []
    for number in range(12):
        lines = [event(draw) for _ in range(200)]
        units.append(landing.drop(**{f"{number}__csv": csv_file(*lines)}))
    failures: list[BaseException] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def load(files: list[Any]) -> Callable[[], object]:
        return lambda: [landing.load(unit) for unit in files]

    def refresh_often(rollup: str) -> Callable[[], object]:
        return lambda: [refresh(landing.database, rollup) for _ in range(8)]

    work = [load(units[::3]), load(units[1::3]), load(units[2::3])]
    work += [refresh_often(rollup) for rollup in ROLLUPS for _ in range(2)]
    threads = [threading.Thread(target=attempt, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_agrees(landing.database)


def test_the_check_agrees_while_something_is_pending(landing: Landing) -> None:
    draw = random.Random(4)
    drop(landing, "a.csv", *(event(draw) for _ in range(50)))
    for rollup in ROLLUPS:
        assert reconciles(landing.database, rollup, "check").passed
        assert rows(landing.database, f"SELECT count(*) FROM {rollup}") == [(0,)]


@pytest.mark.parametrize("rollup", ROLLUPS)
def test_a_figure_changed_by_hand_is_named_with_its_day_and_mended_by_it(
    landing: Landing, rollup: str
) -> None:
    draw = random.Random(5)
    drop(landing, "a.csv", *(event(draw) for _ in range(200)))
    refresh(landing.database, rollup)
    execute(landing.database, f"UPDATE {rollup} SET views = views + 1, purchases = purchases - 1")
    finding = reconciles(landing.database, rollup, "check")
    assert not finding.passed
    assert set(finding.details) == {"2026-01-01", "2026-01-02"}
    for day in (date(2026, 1, 1), date(2026, 1, 2)):
        refresh(landing.database, rollup, Days(day, day))
    assert reconciles(landing.database, rollup, "check").passed
    refresh(landing.database, rollup, Days())
    assert reconciles(landing.database, rollup, "check").passed


def test_a_cent_is_found(landing: Landing) -> None:
    draw = random.Random(6)
    drop(landing, "a.csv", *(event(draw) for _ in range(200)))
    refresh(landing.database, HOURLY_SALES)
    execute(
        landing.database,
        "UPDATE hourly_sales SET revenue = revenue + 0.01 WHERE (hour, category) ="
        " (SELECT hour, category FROM hourly_sales ORDER BY hour LIMIT 1)",
    )
    finding = reconciles(landing.database, HOURLY_SALES, "check")
    assert not finding.passed
    assert finding.details == {
        "2026-01-01": "1 hours and categories: revenue off by 0.01, views by 0, carts by 0, purchases by 0,"
        " buyers by 0"
    }


def test_a_step_too_many_is_named(landing: Landing) -> None:
    draw = random.Random(4)
    drop(landing, "a.csv", *(event(draw) for _ in range(50)))
    refresh(landing.database, CONVERSION_FUNNEL)
    execute(
        landing.database,
        "UPDATE conversion_funnel SET views = views + 2, purchases = purchases - 1"
        " WHERE (day, category, user_device, user_location) ="
        " (SELECT day, category, user_device, user_location FROM conversion_funnel"
        " WHERE category = 'Books' AND purchases > 0 ORDER BY day LIMIT 1)",
    )
    finding = reconciles(landing.database, CONVERSION_FUNNEL, "check")
    assert not finding.passed
    assert finding.details == {"2026-01-01": "purchase of Books by -1, view of Books by 2"}


def test_rates_are_null_where_nothing_came_before(landing: Landing) -> None:
    drop(
        landing,
        "a.csv",
        b"00000000-0000-4000-8000-000000000001,1,P,add_to_cart,2026-01-02 00:00:00,1.00,Books,Mobile,DE",
        b"00000000-0000-4000-8000-000000000002,1,P,view,2026-01-02 00:00:00,,Toys,Mobile,DE",
        b"00000000-0000-4000-8000-000000000003,1,P,view,2026-01-02 00:00:00,,Toys,Mobile,DE",
        b"00000000-0000-4000-8000-000000000004,1,P,add_to_cart,2026-01-02 00:00:00,1.00,Toys,Mobile,DE",
    )
    refresh(landing.database, CONVERSION_FUNNEL)
    rates = "SELECT category, cart_rate, purchase_rate, conversion_rate FROM conversion_funnel ORDER BY 1"
    assert rows(landing.database, rates) == [("Books", None, 0.0, None), ("Toys", 0.5, 0.0, 0.0)]


@pytest.mark.parametrize("rollup", ROLLUPS)
def test_a_load_that_commits_in_the_middle_of_a_refresh_is_counted_by_the_next(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, rollup: str
) -> None:
    """The refresh has read what changed; what it deletes then must be no more than that."""
    draw = random.Random(7)
    drop(landing, "a.csv", *(event(draw) for _ in range(20)))
    apply = rollups._apply

    def after_a_load(connection: psycopg.Connection[Any], name: str) -> None:
        drop(landing, "b.csv", *(event(draw) for _ in range(30)))
        apply(connection, name)

    with monkeypatch.context() as patch:
        patch.setattr(rollups, "_apply", after_a_load)
        assert refresh(landing.database, rollup).events == 20
    assert refresh(landing.database, rollup).events == 30
    assert_agrees(landing.database)


def test_a_replayed_row_is_counted(landing: Landing) -> None:
    """Also of a file that was taken in long ago."""
    draw = random.Random(8)
    drop(landing, "a.csv", *(event(draw) for _ in range(20)), event(draw).replace(b"2026-01-0", b"2026-1-0"))
    for rollup in ROLLUPS:
        refresh(landing.database, rollup)
    execute(
        landing.database,
        "UPDATE rejected_events SET raw = replace(convert_from(raw, 'UTF8'), '2026-1-0', '2026-01-0')::bytea",
    )
    assert replay_as_they_are(landing.database, landing.zone).loaded == 1
    assert [refresh(landing.database, rollup).events for rollup in ROLLUPS] == [1, 1]
    assert_agrees(landing.database)


def test_revenue_beyond_any_that_an_hour_had(landing: Landing) -> None:
    """Sums of the highest prices there may be, of as many events as can be counted."""

    def load_one_of_the_highest_price(name: str) -> None:
        (landing.zone.landing / name).write_bytes(csv_file(line().replace(b"19.99", b"99999999.99")))
        landing.ingest()
        refresh(landing.database, HOURLY_SALES)

    load_one_of_the_highest_price("a.csv")
    execute(landing.database, "UPDATE hourly_sales SET revenue = 99999999999999.99")
    load_one_of_the_highest_price("b.csv")
    assert rows(landing.database, "SELECT revenue FROM hourly_sales") == [(Decimal("100000099999999.98"),)]
    execute(landing.database, "UPDATE hourly_sales SET revenue = 99999999.99 * 9223372036854775807")


def purchase(number: int, user: int) -> bytes:
    return b"%s,%d,P,purchase,2026-01-02 00:00:00,1.00,Books,Mobile,DE" % (
        str(uuid.UUID(int=number)).encode(),
        user,
    )


def test_who_buys_again_is_the_same_buyer(landing: Landing) -> None:
    buyers = []
    for number, user in enumerate((1, 1, 2)):
        drop(landing, f"{number}.csv", purchase(number, user))
        refresh(landing.database, HOURLY_SALES)
        buyers += rows(landing.database, "SELECT purchases, buyers FROM hourly_sales")
    assert buyers == [(1, 1), (2, 1), (3, 2)]


def test_a_row_that_went_before_its_file_was_taken_in_was_never_there(landing: Landing) -> None:
    drop(landing, "a.csv", purchase(1, 1), purchase(2, 2))
    execute(landing.database, "DELETE FROM user_events WHERE user_id = 1")
    assert_agrees(landing.database)
    assert rows(landing.database, "SELECT purchases, buyers FROM hourly_sales") == [(1, 1)]
