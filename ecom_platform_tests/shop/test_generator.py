"""The shop's events: exact counts, the same bytes for the same seed, and a plausible shop."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.shop import generator
from ecom_platform.shop.event import ARROW_SCHEMA, HEADER
from ecom_platform.shop.generator import GeneratorConfig, WrittenFile, generate_tables, write_files
from ecom_platform_tests.events import decode
from ecom_platform_tests.examples import examples

AS_OF = datetime(2026, 3, 1, 12, 34, 56, 789, tzinfo=UTC)
STARTED_AT = datetime(2026, 3, 1, 23, 5, 7, 42, tzinfo=UTC)
CONFIG = GeneratorConfig(seed=7, as_of=AS_OF, events=2_500)


def contents(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.iterdir()))


def whole(config: GeneratorConfig) -> pa.Table:
    return pa.concat_tables(generate_tables(config))


# -- files ---------------------------------------------------------------------------------------


def test_files_have_their_names_rows_and_sizes(tmp_path: Path) -> None:
    written = write_files(CONFIG, tmp_path / "new" / "folder", STARTED_AT)
    names = [f"user_events_20260301_230507_000042_{number:04}.csv" for number in (1, 2, 3)]
    assert [(file.name, file.rows) for file in written] == list(zip(names, (1_000, 1_000, 500), strict=True))
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == names
    for file in written:
        data = (tmp_path / "new" / "folder" / file.name).read_bytes()
        assert len(data) == file.bytes
        assert data.startswith(HEADER.encode() + b"\n")
        assert data.endswith(b"\n")
        assert data.count(b"\n") == file.rows + 1
        assert not {b"\r", b'"', b"\0", b" ,"} & {bytes([octet]) for octet in data}


def test_the_time_in_the_name_is_utc(tmp_path: Path) -> None:
    local = STARTED_AT.astimezone(timezone(timedelta(hours=5)))
    assert write_files(CONFIG, tmp_path, local)[0].name.startswith("user_events_20260301_230507_000042_")


def test_names_never_meet_those_of_existing_files(tmp_path: Path) -> None:
    (tmp_path / ".user_events_20260301_230507_000043_0001.csv.tmp").write_text("someone else's")
    first = write_files(CONFIG, tmp_path, STARTED_AT)
    second = write_files(CONFIG, tmp_path, STARTED_AT)
    assert first[0].name == "user_events_20260301_230507_000042_0001.csv"
    assert second[0].name == "user_events_20260301_230507_000044_0001.csv"
    assert len(list(tmp_path.glob("*.csv"))) == 6


def test_the_same_seed_and_time_give_the_same_bytes(tmp_path: Path) -> None:
    write_files(CONFIG, tmp_path / "a", STARTED_AT)
    write_files(CONFIG, tmp_path / "b", STARTED_AT + timedelta(days=1))
    write_files(replace(CONFIG, seed=8), tmp_path / "c", STARTED_AT)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_each_file_is_reported_when_it_can_be_read(tmp_path: Path) -> None:
    reported: list[WrittenFile] = []

    def on_file(file: WrittenFile) -> None:
        assert (tmp_path / file.name).stat().st_size == file.bytes
        reported.append(file)

    assert write_files(CONFIG, tmp_path, STARTED_AT, on_file) == reported


def test_nothing_can_be_read_before_everything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = generator._Staging.publish

    def look(self, on_file):  # type: ignore[no-untyped-def]
        assert {path.name[0] for path in tmp_path.iterdir()} == {"."}
        return publish(self, on_file)

    monkeypatch.setattr(generator._Staging, "publish", look)
    assert len(write_files(CONFIG, tmp_path, STARTED_AT)) == 3


@pytest.mark.parametrize("rows_per_file", [1, 7, 999, 4_000, 10_000])
def test_the_file_size_changes_no_event(
    tmp_path: Path, rows_per_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "BLOCK_EVENTS", 1_024)
    config = replace(CONFIG, events=3_000, rows_per_file=rows_per_file)
    written = write_files(config, tmp_path, STARTED_AT)
    assert sum(file.rows for file in written) == 3_000
    assert {file.rows for file in written[:-1]} <= {rows_per_file}
    header = f"{HEADER}\n".encode()
    bodies = [(tmp_path / file.name).read_bytes().removeprefix(header) for file in written]
    tables = list(generate_tables(config))
    assert [table.num_rows for table in tables] == [file.rows for file in written]
    assert pa.concat_tables(tables).equals(whole(replace(config, rows_per_file=3_000)))
    write_files(replace(config, rows_per_file=3_000), tmp_path / "one", STARTED_AT)
    assert b"".join(bodies) == contents(tmp_path / "one").removeprefix(header)


# -- failures ------------------------------------------------------------------------------------


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writing beyond ``size`` fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "others.csv").write_text("kept")
    config = replace(CONFIG, events=400_000, rows_per_file=200_000)
    with file_size_limit(1 << 20), pytest.raises(StorageError, match="Free some space") as caught:
        write_files(config, tmp_path, STARTED_AT)
    assert str(tmp_path) in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["others.csv"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="Not a directory"):
        write_files(CONFIG, tmp_path / "file" / "folder", STARTED_AT)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_in_mid_publication_leaves_nothing_behind(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def on_file(file: WrittenFile) -> None:
        if file.name.endswith("_0002.csv"):
            raise error

    with pytest.raises(error):
        write_files(CONFIG, tmp_path, STARTED_AT, on_file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": 0}, "events is 0.*at least 1"),
        ({"seed": -1}, "seed is -1.*at least 0"),
        ({"rows_per_file": 0}, "rows_per_file is 0.*at least 1"),
        ({"users": 0}, "users is 0.*between 1 and 1000000"),
        ({"users": 1_000_001}, "users is 1000001.*between 1 and 1000000"),
        ({"days": 0}, "days is 0.*at least 1"),
        ({"days": 9_999}, "period of 9999 days.*fewer days"),
        ({"as_of": datetime(2026, 3, 1)}, "as_of is 2026-03-01T00:00:00.*offset"),
        ({"as_of": AS_OF.astimezone(timezone(timedelta(hours=1)))}, "not in UTC"),
    ],
)
def test_a_configuration_that_cannot_be_used(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(CONFIG, **changes)  # type: ignore[arg-type]


# -- content -------------------------------------------------------------------------------------


@given(
    events=st.integers(1, 700),
    rows_per_file=st.integers(1, 800),
    seed=st.integers(0, 2**64),
    users=st.integers(1, 2_000),
    days=st.integers(1, 400),
)
@examples(20)
def test_generated_files_decode_to_the_generated_tables(
    tmp_path_factory: pytest.TempPathFactory,
    events: int,
    rows_per_file: int,
    seed: int,
    users: int,
    days: int,
) -> None:
    config = GeneratorConfig(seed, AS_OF, events, max(rows_per_file, 50), users, days)
    directory = tmp_path_factory.mktemp("landing")
    written = write_files(config, directory, STARTED_AT)
    tables = list(generate_tables(config))
    assert sum(table.num_rows for table in tables) == events
    for file, table in zip(written, tables, strict=True):
        with (directory / file.name).open("rb") as stream:
            chunks = list(decode(stream, AS_OF))
        assert [chunk.rejects for chunk in chunks] == [[]]
        rows = pa.Table.from_batches([chunk.rows for chunk in chunks])
        assert rows.drop_columns("line_number").equals(table)


@pytest.fixture(scope="module")
def events() -> pa.Table:
    table = whole(GeneratorConfig(seed=1, as_of=AS_OF, events=150_000))
    table.validate(full=True)
    return table


def test_the_events_have_the_declared_schema(events: pa.Table) -> None:
    assert events.schema == ARROW_SCHEMA
    assert events.num_rows == 150_000


def test_identifiers_are_distinct_and_of_version_4(events: pa.Table) -> None:
    identifiers = events["event_id"].to_pylist()
    assert len(set(identifiers)) == len(identifiers)
    assert {octets[6] >> 4 for octets in identifiers} == {4}
    assert {octets[8] >> 6 for octets in identifiers} == {2}


def test_values_lie_in_their_ranges(events: pa.Table) -> None:
    assert pc.min_max(events["user_id"]).as_py() == {"min": 1, "max": 1_000}
    times = pc.min_max(events["event_time"]).as_py()
    assert AS_OF - timedelta(days=90) <= times["min"] < times["max"] <= AS_OF
    prices = pc.min_max(events["price"]).as_py()
    assert Decimal(10) <= prices["min"] < prices["max"] <= Decimal(500)
    assert all(
        re.fullmatch(r"PROD[1-9][0-9]{3}", text) for text in pc.unique(events["product_id"]).to_pylist()
    )


def test_a_price_is_absent_on_views_and_only_there(events: pa.Table) -> None:
    assert pc.equal(events["event_type"], "view").equals(events["price"].is_null())


def test_there_are_more_views_than_carts_and_more_carts_than_purchases(events: pa.Table) -> None:
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(events["event_type"]).to_pylist()}
    assert counts["view"] > 2 * counts["add_to_cart"] > 4 * counts["purchase"] > 0


def test_popularity_of_products_is_skewed(events: pa.Table) -> None:
    counts = sorted((c["counts"] for c in pc.value_counts(events["product_id"]).to_pylist()), reverse=True)
    assert sum(counts[:90]) > 0.25 * events.num_rows
    assert len(counts) > 5_000


def test_days_have_a_rhythm(events: pa.Table) -> None:
    hours = {
        entry["values"]: entry["counts"]
        for entry in pc.value_counts(pc.hour(events["event_time"])).to_pylist()
    }
    assert len(hours) == 24
    assert hours[20] > 5 * hours[3]


def test_a_product_has_one_category_and_at_most_two_prices(events: pa.Table) -> None:
    facts = events.group_by("product_id").aggregate(
        [("category", "count_distinct"), ("price", "count_distinct")]
    )
    assert pc.max(facts["category_count_distinct"]).as_py() == 1
    assert pc.max(facts["price_count_distinct"]).as_py() <= 2


def test_carts_follow_views_and_purchases_follow_carts(events: pa.Table) -> None:
    same = ("user_id", "product_id", "category", "user_device", "user_location")
    follows = {"add_to_cart": "view", "purchase": "add_to_cart"}
    latest: dict[tuple[object, ...], datetime] = {}
    for event in events.sort_by("event_time").to_pylist():
        key = tuple(event[name] for name in same)
        before = follows.get(event["event_type"])
        if before is not None:
            gap = event["event_time"] - latest[(before, *key)]
            assert timedelta(0) < gap
        latest[(event["event_type"], *key)] = event["event_time"]


def test_files_follow_one_another_in_time() -> None:
    tables = list(generate_tables(GeneratorConfig(seed=1, as_of=AS_OF, events=20_000)))
    starts = [table["event_time"][0].as_py() for table in tables]
    assert starts == sorted(starts)
