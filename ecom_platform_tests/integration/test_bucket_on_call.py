"""What the person on call does where objects land in a bucket, of two feeds, against a real S3 server."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.catalog import catalog
from ecom_platform.cli.status import status
from ecom_platform.errors import FeedError, StorageError, UsageError
from ecom_platform.landing.bucket import object_returning
from ecom_platform.landing.bucket.object_claim import put_away
from ecom_platform.landing.expiry import delete_expired
from ecom_platform.landing.kept_files import kept_files
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reconcile, reload_files, reload_since
from ecom_platform.oncall.trace import trace
from ecom_platform.settings import Settings
from ecom_platform.store import ledger, sink
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import prepare_table
from ecom_platform.store.outcome import FileOutcome, UnitFile, feed_of
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.streaming.copies import fetched
from ecom_platform.tables.adding import add_column
from ecom_platform.tables.rebuilding import rebuild
from ecom_platform.tables.unload import TakenOut, unload_files
from ecom_platform.variable_reader import LEAVE
from ecom_platform_tests.integration.test_bucket import (
    UNREADABLE,
    Bucket,
    Killed,
    killed_at,
    only_reading,
    settings_for,
    staying,
)
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.s3_server import (
    CREDENTIALS,
    Fault,
    FirstAnswersLost,
    Request,
    S3Server,
    faulty_way,
)

PRICES = "columns: {sku: text, price: 'numeric(8,2)'}\nprimary_key: sku\n"
# Of each key the row of the file that landed last.
STOCK = "columns: {sku: text, pieces: integer}\nprimary_key: sku\non_conflict: update\n"
NUMBERED = "columns: {sku: text, pieces: integer}\nidentity: position\n"


def prices(**of: str) -> bytes:
    return "".join(["sku,price\n", *(f"{sku},{price}\n" for sku, price in of.items())]).encode()


def stock(**of: str) -> bytes:
    return "".join(["sku,pieces\n", *(f"{sku},{pieces}\n" for sku, pieces in of.items())]).encode()


class Shop(Bucket):
    """A landing zone in a bucket for several feeds."""

    def load(
        self, files: list[UnitFile], hook: Callable[[str], None] = lambda step: None
    ) -> tuple[list[FileOutcome], list[int]]:
        by_feed: dict[str, list[UnitFile]] = defaultdict(list)
        for file in files:
            by_feed[feed_of(file.name)].append(file)
        outcomes: list[FileOutcome] = []
        all_changed: list[int] = []
        for name, unit in by_feed.items():
            feed = catalog(self.settings).feeds[name]
            prepare_table(self.database, feed)
            with fetched(self.location, unit) as (copies, changed):
                result = sink.load_unit(self.database.url, feed, copies, self.batch_id, hook=hook)
            outcomes += result.outcomes
            all_changed += [*result.changed, *changed]
        return outcomes, sorted(set(all_changed))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.open() as connection:
            return connection.execute(sql.encode()).fetchall()

    def run(self, sql: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(sql.encode())

    def trace(self, wanted: str) -> Any:
        with self.database.open() as connection:
            return trace(connection, self.zone, wanted, catalog(self.settings).feeds)

    def unload(self, *names: str, partial: bool = False) -> list[TakenOut]:
        return unload_files(self.database, self.zone, catalog(self.settings), names, 1.0, partial=partial)

    def check(self, *, whole: bool = True) -> None:
        """Every row of both feeds against what lies in the archive."""
        super().check(whole=whole)
        self.check_prices()

    def check_prices(self) -> None:
        if ("prices",) not in self.query("SELECT feed FROM ingested_files WHERE state = 'loaded'"):
            return
        expected: Counter[tuple[str, str]] = Counter()
        for key in self.keys(".ecom/archive/prices/"):
            text = self.s3.get(self.location.bucket, self.location.prefix + key).decode()
            rows = list(csv.reader(io.StringIO(text)))[1:]
            expected |= Counter({(sku, price): 1 for sku, price, *_ in rows if _is_price(price)})
        assert Counter(self.query("SELECT sku, price::text FROM prices")) == expected

    def totals(self) -> tuple[int, int]:
        """Rows of both feeds."""
        ((events, of_prices),) = self.query(
            "SELECT (SELECT count(*) FROM user_events), (SELECT count(*) FROM prices)"
        )
        return events, of_prices


def _is_price(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


@pytest.fixture
def shop(
    s3: S3Server, settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    copies, feeds = tmp_path / "temporary", tmp_path / "feeds"
    copies.mkdir()
    feeds.mkdir()
    (feeds / "prices.yaml").write_text(PRICES)
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    return Shop(s3, settings_for(settings, database, s3, ECOM_FEEDS_DIR=str(feeds)), database, tmp_path)


@pytest.fixture
def loaded(shop: Shop) -> Shop:
    """Two files of each feed, loaded and put away."""
    shop.put_as("a.csv", csv_file(line(), line()))
    shop.put_as("user_events/deep/b.csv", csv_file(line()))
    shop.put_as("prices/c.csv", prices(x="1.00", y="2.00"))
    shop.put_as("prices/d.csv", prices(y="2.00", z="3.00"))
    shop.ingest()
    assert shop.totals() == (3, 3)
    shop.check()
    return shop


class TestStatus:
    def test_what_has_landed_waits_or_is_refused_is_told(self, loaded: Shop) -> None:
        loaded.put_as("new.csv", csv_file(line()))
        loaded.put_as("prices/new.csv", prices(q="9.00"))
        loaded.put_as("strange.csv", b"colour,shape\nred,round\n")
        loaded.put_as("nobody/e.csv", b"x\n")
        loaded.put_as("half.csv.part", b"x\n")
        waiting = status(loaded.settings).waiting
        assert waiting.files == 3
        assert waiting.bytes == sum(
            len(loaded.s3.get(loaded.location.bucket, loaded.location.prefix + key))
            for key in ("new.csv", "prices/new.csv", "strange.csv")
        )
        assert waiting.since is not None
        assert list(waiting.refused) == ["nobody"]
        assert list(waiting.without_feed) == ["strange.csv"]
        # What is claimed counts once.
        loaded.take()
        assert status(loaded.settings).waiting.files == 3

    def test_a_store_that_is_away_is_red(self, loaded: Shop) -> None:
        with faulty_way(loaded.s3, lambda request: (403, "AccessDenied")) as (endpoint, _):
            location = replace(loaded.location, endpoint=endpoint)
            found = status(replace(loaded.settings, landing_bucket=location))
        assert found.exit_code == StorageError.exit_code
        assert any("AccessDenied" in text for text in found.red)


class TestTrace:
    def test_a_file_a_row_and_a_line(self, loaded: Shop) -> None:
        (answer,) = loaded.trace("a.csv").facts
        assert (answer["state"], answer["path"]) == (
            "loaded", loaded.location.url_of(loaded.keys(".ecom/archive/2")[0])
        )  # fmt: skip
        assert loaded.s3.get(loaded.location.bucket, answer["path"].partition("landing/")[2])
        ((key,),) = loaded.query(
            "SELECT event_id FROM user_events JOIN ingested_files USING (file_id)"
            " WHERE name = 'user_events/deep/b.csv'"
        )
        (row,) = loaded.trace(str(key)).facts
        assert (row["line"], row["as_in_file"], row["file"]) == (2, True, "user_events/deep/b.csv")
        assert row["path"].startswith("s3://")
        assert loaded.trace("prices/c.csv:3").verdict.endswith('is stored in "prices".')
        assert "is a duplicate" in loaded.trace("prices/d.csv:2").verdict
        assert loaded.trace("user_events/deep/b.csv:2").known

    def test_what_waits_and_what_is_claimed(self, loaded: Shop) -> None:
        loaded.put_as("prices/new.csv", prices(q="9.00"))
        assert loaded.trace("prices/new.csv").verdict == "prices/new.csv waits in the landing folder."
        loaded.take()
        answer = loaded.trace("prices/new.csv")
        assert "is claimed and waits to be loaded" in answer.verdict
        assert answer.facts[-1]["path"] == loaded.location.url_of("prices/new.csv")
        assert not loaded.trace("never.csv").known

    def test_one_that_is_not_in_the_archive_any_more(self, loaded: Shop) -> None:
        for key in loaded.keys(".ecom/archive/"):
            loaded.s3.client.delete_object(Bucket=loaded.location.bucket, Key=loaded.location.prefix + key)
        assert loaded.trace("a.csv").facts[0]["path"] is None
        assert "not in the archive any more" in loaded.trace("prices/c.csv:3").verdict
        ((key,),) = loaded.query("SELECT event_id FROM user_events LIMIT 1")
        assert loaded.trace(str(key)).facts[0]["line"] is None

    def test_a_store_that_is_away_is_not_taken_for_a_file_that_is_gone(self, loaded: Shop) -> None:
        with (
            faulty_way(loaded.s3, lambda request: (403, "AccessDenied")) as (endpoint, _),
            pytest.raises(StorageError, match="refuses the use"),
        ):
            _trace_through(loaded, endpoint, "prices/c.csv:3")


def _trace_through(shop: Shop, endpoint: str, wanted: str) -> Any:
    with shop.database.open() as connection:
        return trace(connection, shop.through(endpoint).zone, wanted, catalog(shop.settings).feeds)


class TestReload:
    def test_deleted_rows_come_back_and_the_rest_are_duplicates(self, loaded: Shop) -> None:
        loaded.run("DELETE FROM user_events")
        loaded.run("DELETE FROM prices WHERE sku = 'x'")
        names = reload_files(
            loaded.database, loaded.zone, ["a.csv", "prices/c.csv", "user_events/deep/b.csv"]
        )
        assert names == ["a.csv", "prices/c.csv", "user_events/deep/b.csv"]
        assert sorted(loaded.landed()) == sorted(names)
        loaded.ingest()
        assert loaded.totals() == (3, 3)
        # Of rows that a person has deleted the ledger has other counts than the files.
        loaded.check_prices()

    def test_everything_since(self, loaded: Shop) -> None:
        ((since,),) = loaded.query("SELECT min(finished_at) FROM ingested_files")
        assert len(reload_since(loaded.database, loaded.zone, since)) == 4
        outcomes = loaded.ingest()
        assert sum(one.rows_duplicate for one in outcomes) == 7
        loaded.check()

    def test_all_of_them_or_none(self, loaded: Shop) -> None:
        with pytest.raises(UsageError, match=r"never\.csv"):
            reload_files(loaded.database, loaded.zone, ["a.csv", "never.csv"])
        loaded.put_as("prices/c.csv", prices(other="5.00"))
        with pytest.raises(UsageError, match=r"prices/c\.csv waits"):
            reload_files(loaded.database, loaded.zone, ["a.csv", "prices/c.csv"])
        assert loaded.landed() == ["prices/c.csv"]
        loaded.ingest()
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-a.csv")]
        loaded.s3.client.delete_object(Bucket=loaded.location.bucket, Key=loaded.location.prefix + key)
        with pytest.raises(StorageError, match="not in the archive any more"):
            reload_files(loaded.database, loaded.zone, ["a.csv", "prices/d.csv"])
        assert loaded.landed() == []

    def test_one_that_is_not_put_away_yet(self, shop: Shop) -> None:
        shop.put_as("a.csv", csv_file(line()))
        shop.load(shop.take())
        with pytest.raises(StorageError, match="not put away yet"):
            reload_files(shop.database, shop.zone, ["a.csv"])

    def test_an_object_that_comes_to_its_key_meanwhile_stays(self, loaded: Shop) -> None:
        other = prices(w="7.00")

        def hook(step: str) -> None:
            if step == "noted" and not loaded.landed():
                loaded.put_as("prices/c.csv", other)

        with loaded.database.open() as connection:
            rows = ledger.newest_by_name(connection, ["prices/c.csv"])
        (name,) = object_returning.land_copies(loaded.database, loaded.zone, rows, hook)
        assert name == f"prices/{rows[0].file_id}-c.csv"
        assert loaded.s3.get(loaded.location.bucket, f"{loaded.location.prefix}prices/c.csv") == other
        loaded.ingest()
        assert loaded.totals() == (3, 4)
        loaded.check()

    def test_one_that_is_rewritten_in_the_archive_meanwhile(self, loaded: Shop) -> None:
        (key,) = [key for key in loaded.keys(".ecom/archive/prices/") if key.endswith("-c.csv")]

        def rewrite(request: Request) -> Fault:
            if "x-amz-copy-source" in {name.lower() for name in request.headers}:
                loaded.put_as(key, prices(forged="1.00"))
            return None

        with (
            faulty_way(loaded.s3, rewrite) as (endpoint, _),
            pytest.raises(StorageError, match="was rewritten"),
        ):
            reload_files(loaded.database, loaded.through(endpoint).zone, ["prices/c.csv"])
        assert loaded.landed() == []

    def test_two_files_of_one_name(self, loaded: Shop) -> None:
        loaded.put_as("prices/c.csv", prices(v="8.00"))
        loaded.ingest()
        ((since,),) = loaded.query("SELECT min(finished_at) FROM ingested_files")
        names = reload_since(loaded.database, loaded.zone, since)
        assert len(set(names)) == 5
        assert len(loaded.ingest()) == 5
        loaded.check()

    @pytest.mark.parametrize("step", ["noted", "landed"])
    def test_killed_it_is_asked_for_again(self, loaded: Shop, step: str) -> None:
        loaded.run("DELETE FROM prices")
        with loaded.database.open() as connection:
            rows = ledger.newest_by_name(connection, ["a.csv"])
            rows += ledger.newest_by_name(connection, ["prices/d.csv"])
        with pytest.raises(Killed):
            object_returning.land_copies(loaded.database, loaded.zone, rows, killed_at(step))
        loaded.ingest()
        names = ["a.csv", "prices/c.csv", "prices/d.csv", "user_events/deep/b.csv"]
        reload_files(loaded.database, loaded.zone, names)
        loaded.ingest()
        assert loaded.totals() == (3, 3)
        loaded.check()

    @pytest.mark.parametrize("method", ["PUT", "HEAD", "GET"])
    def test_an_answer_that_is_lost(self, loaded: Shop, method: str) -> None:
        loaded.run("DELETE FROM prices")
        drop = FirstAnswersLost(method)

        with faulty_way(loaded.s3, drop) as (endpoint, _):
            way = loaded.through(endpoint)
            names = reload_files(loaded.database, way.zone, ["a.csv", "prices/c.csv", "prices/d.csv"])
        assert drop.dropped
        assert names == ["a.csv", "prices/c.csv", "prices/d.csv"]
        assert loaded.landed() == names
        loaded.ingest()
        assert loaded.totals() == (3, 3)
        loaded.check()

    def test_what_was_an_objects_metadata_is_kept(self, shop: Shop) -> None:
        where = {"Bucket": shop.location.bucket, "Key": f"{shop.location.prefix}prices/c.csv"}
        shop.s3.client.put_object(
            **where, Body=prices(x="1.00"), ContentType="text/csv", Metadata={"of": "the supplier"}
        )
        shop.ingest()
        reload_files(shop.database, shop.zone, ["prices/c.csv"])
        found = shop.s3.client.head_object(**where)
        assert (found["ContentType"], found["Metadata"]["of"]) == ("text/csv", "the supplier")


class TestLandings:
    """What lands once more is no newer for it."""

    @pytest.fixture
    def newest(self, shop: Shop) -> Shop:
        (shop.settings.feeds_dir / "stock.yaml").write_text(STOCK)
        for name, pieces in (("one", "1"), ("a_later_one", "2")):
            shop.put_as(f"stock/{name}.csv", stock(x=pieces))
            shop.ingest()
        assert shop.query("SELECT pieces FROM stock") == [(2,)]
        return shop

    def test_a_reloaded_object_keeps_its_landing(self, newest: Shop) -> None:
        reload_files(newest.database, newest.zone, ["stock/one.csv"])
        (outcome,) = newest.ingest()
        assert (outcome.rows_stale, newest.query("SELECT pieces FROM stock")) == (1, [(2,)])

    def test_what_somebody_drops_there_is_new(self, newest: Shop) -> None:
        reload_files(newest.database, newest.zone, ["stock/one.csv"])
        newest.put_as("stock/one.csv", stock(x="3"))
        (outcome,) = newest.ingest()
        assert (outcome.rows_updated, newest.query("SELECT pieces FROM stock")) == (1, [(3,)])

    def test_killed_after_the_copy_it_keeps_it_as_well(self, newest: Shop) -> None:
        with newest.database.open() as connection:
            rows = ledger.newest_by_name(connection, ["stock/one.csv"])
        with pytest.raises(Killed):
            object_returning.land_copies(newest.database, newest.zone, rows, killed_at("landed"))
        (outcome,) = newest.ingest()
        assert (outcome.rows_stale, newest.query("SELECT pieces FROM stock")) == (1, [(2,)])

    def test_reconciled_they_keep_their_order(self, newest: Shop) -> None:
        newest.run("TRUNCATE stock, ingested_files RESTART IDENTITY CASCADE")
        assert len(reconcile(newest.database, newest.zone).requeued) == 2
        newest.ingest()
        assert newest.query("SELECT pieces FROM stock") == [(2,)]
        newest.put_as("stock/three.csv", stock(x="3"))
        newest.ingest()
        assert newest.query("SELECT pieces FROM stock") == [(3,)]


class TestReconcile:
    def forgotten(self, shop: Shop) -> None:
        """The database goes back to before anything was loaded."""
        shop.run("TRUNCATE user_events, prices, rejected_events, ingested_files RESTART IDENTITY CASCADE")

    def test_what_the_ledger_does_not_know_lands_again(self, loaded: Shop) -> None:
        loaded.put_as("user_events/bad.csv", UNREADABLE)
        loaded.put_as("prices/bad.csv", UNREADABLE)
        loaded.ingest()
        self.forgotten(loaded)
        done = reconcile(loaded.database, loaded.zone)
        # Of other folders than its feed's the name is not known any more.
        assert sorted(done.requeued) == [
            "a.csv", "b.csv", "bad.csv", "prices/bad.csv", "prices/c.csv", "prices/d.csv"
        ]  # fmt: skip
        assert loaded.keys(".ecom/archive/") == loaded.keys(".ecom/quarantine/") == []
        outcomes = loaded.ingest()
        assert min(one.file_id for one in outcomes) > 6
        assert loaded.totals() == (3, 3)
        loaded.check()
        assert reconcile(loaded.database, loaded.zone).requeued == ()

    @pytest.mark.parametrize("step", ["noted", "landed", "deleted"])
    def test_killed_the_next_one_goes_on(self, loaded: Shop, step: str) -> None:
        self.forgotten(loaded)
        with pytest.raises(Killed):
            object_returning.reconcile(loaded.database, loaded.zone, hook=killed_at(step))
        reconcile(loaded.database, loaded.zone)
        assert len(loaded.landed()) == 4
        assert sum(one.rows_inserted for one in loaded.ingest()) == 6
        assert loaded.totals() == (3, 3)
        loaded.check()

    def test_what_is_rewritten_meanwhile_stays(self, loaded: Shop) -> None:
        self.forgotten(loaded)
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-c.csv")]

        def hook(step: str) -> None:
            if step == "landed":
                loaded.put_as(key, prices(later="4.00"))

        object_returning.reconcile(loaded.database, loaded.zone, hook=hook)
        assert loaded.keys(".ecom/archive/") == [key]
        loaded.ingest()
        assert len(reconcile(loaded.database, loaded.zone).requeued) == 1
        loaded.ingest()
        assert loaded.totals() == (3, 4)
        loaded.check()

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "GET"])
    def test_an_answer_that_is_lost(self, loaded: Shop, method: str) -> None:
        self.forgotten(loaded)
        drop = FirstAnswersLost(method)

        with faulty_way(loaded.s3, drop) as (endpoint, _):
            reconcile(loaded.database, loaded.through(endpoint).zone)
        assert drop.dropped
        assert len(loaded.landed()) == 4
        loaded.ingest()
        assert loaded.totals() == (3, 3)
        loaded.check()

    def test_what_was_claimed_at_the_backup_and_finished_since(self, loaded: Shop) -> None:
        """The ledger says claimed, and the archive has it."""
        loaded.put_as("prices/e.csv", prices(e="5.00"))
        files = loaded.take()
        (file_id,) = (file.file_id for file in files)
        kept = ("ingested_files", "claimed_objects")
        for table in kept:
            loaded.run(f"CREATE TABLE backup_of_{table} AS SELECT * FROM {table} WHERE file_id = {file_id}")
        loaded.load(files)
        put_away(loaded.database, loaded.zone, [file_id], 10)
        loaded.run(f"DELETE FROM prices WHERE file_id = {file_id}")
        loaded.run(f"DELETE FROM ingested_files WHERE file_id = {file_id}")
        for table in kept:
            loaded.run(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup_of_{table}")
        done = reconcile(loaded.database, loaded.zone)
        assert (done.taken_back, done.requeued) == (1, ())
        (outcome,) = loaded.ingest()
        assert (outcome.name, outcome.rows_inserted) == ("prices/e.csv", 1)
        loaded.check()

    def test_what_is_not_in_the_archive_any_more_is_named(self, loaded: Shop) -> None:
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-c.csv")]
        loaded.s3.client.delete_object(Bucket=loaded.location.bucket, Key=loaded.location.prefix + key)
        (missing,) = reconcile(loaded.database, loaded.zone).missing
        assert missing.endswith("-prices/c.csv")

    def test_another_bucket_is_adopted_when_it_is_said_so(self, loaded: Shop) -> None:
        marker = f"{loaded.location.prefix}.ecom/zone-id"
        loaded.s3.client.put_object(
            Bucket=loaded.location.bucket, Key=marker, Body=b"2f0e9a3c-8a43-4f0b-8c0e-0c2f6f6b0d11\n"
        )
        with pytest.raises(StorageError, match="--adopt"):
            reconcile(loaded.database, loaded.zone)
        reconcile(loaded.database, loaded.zone, adopt=True)
        loaded.ingest()
        loaded.check()


class TestUnload:
    def test_it_is_as_if_the_file_had_never_come(self, loaded: Shop) -> None:
        done = {one.feed: one for one in loaded.unload("a.csv", "prices/c.csv")}
        assert (done["user_events"].result.rows, done["prices"].result.rows) == (2, 2)
        # The row that another file has as well is from there now.
        assert sum(part.rows for part in done["prices"].result.back) == 1
        assert loaded.totals() == (1, 2)
        assert all(place and place.startswith("s3://") for one in done.values() for place in one.places)
        assert len(loaded.keys(".ecom/unloaded/")) == 2
        loaded.check()
        # Nothing looks there.
        assert reconcile(loaded.database, loaded.zone).requeued == ()
        assert loaded.ingest() == []

    def test_one_of_the_quarantine(self, loaded: Shop) -> None:
        loaded.put_as("prices/bad.csv", UNREADABLE)
        loaded.ingest()
        (done,) = loaded.unload("prices/bad.csv")
        assert done.places[0] is not None
        assert loaded.keys(".ecom/quarantine/") == []
        loaded.check()

    def test_what_may_hold_rows_of_it_has_to_be_there(self, loaded: Shop) -> None:
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-d.csv")]
        content = loaded.s3.get(loaded.location.bucket, loaded.location.prefix + key)
        loaded.s3.client.delete_object(Bucket=loaded.location.bucket, Key=loaded.location.prefix + key)
        with pytest.raises(FeedError, match=r"prices/d\.csv"):
            loaded.unload("prices/c.csv")
        loaded.put_as(key, content)
        loaded.check()

    @pytest.mark.parametrize("step", ["copied", "deleted"])
    def test_killed_it_is_asked_for_again(
        self, loaded: Shop, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = object_returning.ObjectMoves
        monkeypatch.setattr(object_returning, "ObjectMoves", partial(real, hook=killed_at(step)))
        monkeypatch.setattr(real, "take_back", lambda moves: None)
        with pytest.raises(Killed):
            loaded.unload("prices/c.csv")
        monkeypatch.undo()
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        assert loaded.totals() == (3, 3)
        (done,) = loaded.unload("prices/c.csv")
        assert done.places[0] is not None
        assert loaded.totals() == (3, 2)
        loaded.check()

    def test_one_that_is_rewritten_meanwhile_stays(
        self, loaded: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-c.csv")]

        before, later = prices(x="1.00", y="2.00"), prices(v="1.00", w="2.00")

        def rewrite(step: str) -> None:
            loaded.put_as(key, later)

        real = object_returning.ObjectMoves
        monkeypatch.setattr(object_returning, "ObjectMoves", partial(real, hook=rewrite))
        with pytest.raises(StorageError, match="was rewritten"):
            loaded.unload("prices/c.csv")
        (copy,) = loaded.keys(".ecom/unloaded/")
        there = [loaded.s3.get(loaded.location.bucket, loaded.location.prefix + name) for name in (key, copy)]
        assert there == [later, before]
        assert loaded.totals() == (3, 3)

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
    def test_an_answer_that_is_lost(self, loaded: Shop, method: str) -> None:
        drop = FirstAnswersLost(method)

        with faulty_way(loaded.s3, drop) as (endpoint, _):
            zone = loaded.through(endpoint).zone
            unload_files(loaded.database, zone, catalog(loaded.settings), ["prices/c.csv"], 1.0)
        assert drop.dropped
        assert loaded.totals() == (3, 2)
        assert len(loaded.keys(".ecom/unloaded/")) == 1
        loaded.check()

    def test_a_failure_puts_the_object_back(self, loaded: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(step: str) -> None:
            if step == "deleted":
                raise StorageError("The store is away.", "Bring it back.")

        real = object_returning.ObjectMoves
        monkeypatch.setattr(object_returning, "ObjectMoves", partial(real, hook=fail))
        with pytest.raises(StorageError, match="is away"):
            loaded.unload("prices/c.csv")
        assert loaded.keys(".ecom/unloaded/") == []
        assert loaded.totals() == (3, 3)
        loaded.check()


class TestRejects:
    @pytest.fixture
    def refused(self, loaded: Shop) -> Shop:
        """Rows that are known by their place alone, one of them refused."""
        (loaded.settings.feeds_dir / "counted.yaml").write_text(NUMBERED)
        loaded.put_as("counted/f.csv", b"sku,pieces\na,1\nb,many\nc,3\n")
        loaded.ingest()
        assert loaded.query("SELECT count(*) FROM counted") == [(2,)]
        return loaded

    def test_as_they_are_from_the_file_itself(self, refused: Shop) -> None:
        feeds = catalog(refused.settings).feeds
        assert replay_as_they_are(refused.database, refused.zone, feeds).verdicts == {
            ReplayVerdict.STILL_REJECTED: 1
        }
        (key,) = [key for key in refused.keys(".ecom/archive/") if key.endswith("-f.csv")]
        refused.s3.client.delete_object(Bucket=refused.location.bucket, Key=refused.location.prefix + key)
        assert replay_as_they_are(refused.database, refused.zone, feeds).verdicts == {
            ReplayVerdict.FILE_GONE: 1
        }

    def test_corrected(self, refused: Shop, tmp_path: Path) -> None:
        fixed = tmp_path / "fixed.csv"
        fixed.write_text("sku,pieces,file_name,line_number\nb,2,counted/f.csv,3\n")
        feed = catalog(refused.settings).feeds["counted"]
        done = replay_corrected(refused.database, fixed, feed, refused.zone)
        assert done.verdicts == {ReplayVerdict.INSERTED: 1}
        assert refused.query("SELECT sku, pieces FROM counted ORDER BY 1") == [("a", 1), ("b", 2), ("c", 3)]


class TestTables:
    def test_a_table_is_made_anew_from_the_archive(self, loaded: Shop) -> None:
        before = loaded.query("SELECT sku, price::text FROM prices ORDER BY 1")
        done = rebuild(loaded.database, loaded.zone, catalog(loaded.settings).feeds["prices"], 1.0)
        assert (done.rebuilt.files, done.rebuilt.inserted) == (2, 3)
        assert loaded.query("SELECT sku, price::text FROM prices ORDER BY 1") == before
        loaded.check()

    def test_what_is_left_out_lies_in_quarantine(self, loaded: Shop) -> None:
        feed = catalog(loaded.settings).feeds["prices"]
        rebuild(loaded.database, loaded.zone, feed, 1.0, without=["prices/d.csv"])
        assert [key.endswith("-d.csv") for key in loaded.keys(".ecom/quarantine/prices/")] == [True, False]
        assert loaded.totals() == (3, 2)
        loaded.check()

    def test_what_the_archive_lacks_is_named(self, loaded: Shop) -> None:
        (key,) = [key for key in loaded.keys(".ecom/archive/") if key.endswith("-c.csv")]
        loaded.s3.client.delete_object(Bucket=loaded.location.bucket, Key=loaded.location.prefix + key)
        with pytest.raises(FeedError, match=r"prices/c\.csv \(file \d\): not in the archive any more"):
            rebuild(loaded.database, loaded.zone, catalog(loaded.settings).feeds["prices"], 1.0)
        assert loaded.totals() == (3, 3)

    def test_a_column_is_filled_from_the_archive_and_what_fits_by_now_lands(self, loaded: Shop) -> None:
        feeds = loaded.settings.feeds_dir
        loaded.put_as("prices/more.csv", b"sku,price,colour\nm,4.00,red\n")
        loaded.ingest()
        add_column(
            loaded.database, loaded.zone, feeds, catalog(loaded.settings), "prices", "colour", "text", 1.0
        )
        assert loaded.keys(".ecom/quarantine/") == []
        loaded.ingest()
        assert loaded.query("SELECT colour FROM prices WHERE sku = 'm'") == [("red",)]
        assert loaded.totals() == (3, 4)
        loaded.check()


class TestLeft:
    """Objects that stay where they landed are read there, as long as they are what was loaded."""

    @pytest.fixture
    def left(self, shop: Shop) -> Iterator[Shop]:
        with staying(shop, LEAVE, only_reading):
            (shop.settings.feeds_dir / "counted.yaml").write_text(NUMBERED)
            shop.put_as("prices/c.csv", prices(x="1.00", y="2.00"))
            shop.put_as("prices/d.csv", prices(y="2.00", z="3.00"))
            shop.put_as("counted/f.csv", b"sku,pieces\na,1\nb,many\nc,3\n")
            shop.ingest()
            yield shop

    def test_a_line_is_traced_until_the_object_is_another(self, left: Shop) -> None:
        assert left.trace("prices/c.csv:3").verdict.endswith('is stored in "prices".')
        (file,) = left.trace("prices/c.csv").facts
        assert file["path"] == left.location.url_of("prices/c.csv")
        left.put_as("prices/c.csv", prices(other="9.00"))
        assert "not in the archive any more" in left.trace("prices/c.csv:3").verdict

    def test_a_reject_is_replayed_from_its_object(self, left: Shop, tmp_path: Path) -> None:
        feeds = catalog(left.settings).feeds
        found = replay_as_they_are(left.database, left.zone, feeds).verdicts
        assert found == {ReplayVerdict.STILL_REJECTED: 1}
        fixed = tmp_path / "fixed.csv"
        fixed.write_text("sku,pieces,file_name,line_number\nb,2,counted/f.csv,3\n")
        done = replay_corrected(left.database, fixed, feeds["counted"], left.zone)
        assert done.verdicts == {ReplayVerdict.INSERTED: 1}
        assert left.query("SELECT sku, pieces FROM counted ORDER BY 1") == [("a", 1), ("b", 2), ("c", 3)]

    def test_a_table_is_made_anew_from_what_stays(self, left: Shop) -> None:
        before = left.query("SELECT sku, price::text FROM prices ORDER BY 1")
        feed = catalog(left.settings).feeds["prices"]
        done = rebuild(left.database, left.zone, feed, 1.0)
        assert (done.rebuilt.files, done.rebuilt.inserted) == (2, 3)
        assert left.query("SELECT sku, price::text FROM prices ORDER BY 1") == before
        assert left.ingest() == []
        left.put_as("prices/c.csv", prices(other="9.00"))
        with pytest.raises(FeedError, match=r"prices/c\.csv \(file \d\): not in the archive any more"):
            rebuild(left.database, left.zone, feed, 1.0)
        rebuild(left.database, left.zone, feed, 1.0, without=["prices/c.csv"])
        assert left.query("SELECT count(*) FROM prices") == [(2,)]


def test_where_objects_stay_there_is_no_archive(loaded: Shop) -> None:
    zone = replace(loaded.zone, leaves=True)
    with pytest.raises(UsageError, match="ECOM_LANDING_DONE is not move"):
        object_returning.land_copies(loaded.database, zone, [])
    with pytest.raises(UsageError, match="ECOM_LANDING_DONE is not move"):
        kept_files(zone).taking_out([])


def test_the_archive_expires(loaded: Shop) -> None:
    ((day,),) = loaded.query("SELECT max(finished_at)::date FROM ingested_files")
    assert delete_expired(loaded.zone, day + timedelta(days=1), 1) == []
    assert delete_expired(loaded.zone, day + timedelta(days=3), 1) == [f"{day}"]
    assert loaded.keys(".ecom/archive/") == []
