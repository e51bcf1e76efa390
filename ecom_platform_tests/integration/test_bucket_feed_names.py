"""A feed by another name, and one that is taken out, where objects land in a bucket: a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ecom_platform.catalog import catalog
from ecom_platform.errors import FeedError, StorageError, UsageError
from ecom_platform.landing.bucket import bucket_checks, feed_objects, object_returning
from ecom_platform.landing.folder.zone import REASON_SUFFIX
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.tables.removing import Removal, remove, survey
from ecom_platform.tables.renaming import Renamed, rename
from ecom_platform_tests.integration.test_bucket import UNREADABLE, Killed, killed_at
from ecom_platform_tests.integration.test_bucket_on_call import (
    PRICES,
    STOCK,
    Shop,
    loaded,
    prices,
    shop,
    stock,
)
from ecom_platform_tests.s3_server import FirstAnswersLost, faulty_way
from ecom_platform_tests.waiting import wait_until

__all__ = ["loaded", "shop"]

METHODS = ["PUT", "DELETE", "HEAD", "GET"]


def renamed(shop: Shop, old: str = "prices", new: str = "tariffs", endpoint: str | None = None) -> Renamed:
    zone = shop.zone if endpoint is None else shop.through(endpoint).zone
    return rename(shop.database, zone, shop.settings.feeds_dir, old, new, 1.0)


def removed(shop: Shop, *, drop_table: bool = True, endpoint: str | None = None) -> Removal:
    zone = shop.zone if endpoint is None else shop.through(endpoint).zone
    return remove(shop.database, zone, shop.settings.feeds_dir, "prices", 1.0, drop_table=drop_table)


@pytest.fixture
def kept(loaded: Shop) -> Shop:
    """Something of the feed in each folder: loaded, quarantined, taken out again, and landed."""
    loaded.put_as("prices/bad.csv", UNREADABLE)
    loaded.put_as("prices/out.csv", prices(o="4.00"))
    loaded.ingest()
    loaded.unload("prices/out.csv")
    loaded.put_as("prices/", b"")
    loaded.put_as("prices/deep/later.csv", prices(l="5.00"))
    loaded.put_as("prices/half.csv.part", prices(h="6.00"))
    return loaded


def stands(shop: Shop) -> None:
    """All is as if the feed had been called tariffs from the first."""
    assert [key for key in shop.keys("") if "prices/" in key] == []
    assert [path.name for path in shop.settings.feeds_dir.iterdir()] == ["tariffs.yaml"]
    assert ("prices",) not in shop.query("SELECT feed FROM ingested_files UNION SELECT feed FROM feeds")
    with shop.database.open() as connection:
        archive = bucket_checks.archive_matches_ledger(connection, shop.zone, whole=True)
    assert archive.passed, archive
    assert archive.details["files_not_in_the_archive"] == 0
    assert bucket_checks.bucket_matches_ledger(shop.database, shop.zone).passed
    assert reconcile(shop.database, shop.zone).requeued == ()
    assert sorted(_names(shop, ".ecom/quarantine/tariffs/")) == ["bad.csv", f"bad.csv{REASON_SUFFIX}"]
    assert _names(shop, ".ecom/unloaded/tariffs/") == ["out.csv"]
    assert sorted(shop.landed()) == ["tariffs/deep/later.csv", "tariffs/half.csv.part"]
    assert shop.trace("tariffs/c.csv:3").verdict.endswith('is stored in "tariffs".')


def _names(shop: Shop, folder: str) -> list[str]:
    """Without their numbers."""
    return [key.rpartition("/")[2].partition("-")[2] for key in shop.keys(folder)]


class TestRenaming:
    def test_everything_of_the_feed_has_the_new_name(self, kept: Shop) -> None:
        before = kept.query("SELECT sku, price FROM prices ORDER BY 1")
        done = renamed(kept)
        assert done.folders == ["landing", "archive", "quarantine", "unloaded"]
        stands(kept)
        assert kept.query("SELECT sku, price FROM tariffs ORDER BY 1") == before
        (outcome,) = kept.ingest()
        assert (outcome.name, outcome.rows_inserted) == ("tariffs/deep/later.csv", 1)
        assert kept.claimed() == []

    @pytest.mark.parametrize(
        "step",
        ["noted", "landed", "deleted", "landing", "copied", "archive", "quarantine", "unloaded"],
    )
    def test_killed_it_is_finished_by_running_it_again(
        self, kept: Shop, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        real = feed_objects.rename_objects
        with monkeypatch.context() as patch:
            patch.setattr(feed_objects, "rename_objects", partial(real, hook=killed_at(step)))
            with pytest.raises(Killed):
                renamed(kept)
        # Until it has its new name, nobody loads it as the one or the other.
        assert not {"prices", "tariffs"} & catalog(kept.settings).feeds.keys()
        assert kept.ingest() == []
        renamed(kept)
        stands(kept)
        renamed(kept)
        stands(kept)

    @pytest.mark.parametrize("method", METHODS)
    def test_an_answer_that_is_lost(self, kept: Shop, method: str) -> None:
        lost = FirstAnswersLost(method)
        with faulty_way(kept.s3, lost) as (endpoint, _):
            renamed(kept, endpoint=endpoint)
        assert lost.dropped
        stands(kept)

    def test_what_is_claimed_is_loaded_and_put_away_by_the_new_name(self, loaded: Shop) -> None:
        loaded.put_as("prices/e.csv", prices(e="5.00"))
        loaded.take()
        renamed(loaded)
        (outcome,) = loaded.ingest()
        assert (outcome.name, outcome.rows_inserted) == ("tariffs/e.csv", 1)
        assert _names(loaded, ".ecom/archive/tariffs/") == ["c.csv", "d.csv", "e.csv"]
        assert {state for _, state, _ in loaded.states()} == {"loaded"}
        assert (loaded.landed(), loaded.claimed()) == ([], [])

    def test_what_has_landed_under_the_new_name_stays(self, loaded: Shop) -> None:
        loaded.put_as("prices/e.csv", prices(e="5.00"))
        loaded.put_as("tariffs/e.csv", prices(f="6.00"))
        renamed(loaded)
        outcomes = loaded.ingest()
        assert sorted(one.rows_inserted for one in outcomes) == [1, 1]
        assert loaded.query("SELECT count(*) FROM tariffs") == [(5,)]

    def test_one_that_is_rewritten_meanwhile_lands_as_well(self, loaded: Shop) -> None:
        loaded.put_as("prices/e.csv", prices(e="5.00"))

        def rewrite(step: str) -> None:
            if step == "landed":
                loaded.put_as("prices/e.csv", prices(f="6.00"))

        with (
            loaded.database.open() as connection,
            pytest.raises(StorageError, match="was rewritten while it was moved"),
        ):
            feed_objects.rename_objects(connection, loaded.zone, "prices", "tariffs", rewrite)
        renamed(loaded)
        assert sorted(one.rows_inserted for one in loaded.ingest()) == [1, 1]

    @pytest.mark.parametrize("again", [False, True], ids=["landed", "landed again"])
    def test_the_newest_row_of_a_key_stays_the_newest(self, shop: Shop, again: bool) -> None:
        (shop.settings.feeds_dir / "stock.yaml").write_text(STOCK)
        shop.put_as("stock/z.csv", stock(x="1"))
        wait_until(lambda: _put_later(shop, "stock/a.csv", stock(x="2"), "stock/z.csv"))
        if again:
            shop.ingest()
            reload_files(shop.database, shop.zone, ["stock/a.csv", "stock/z.csv"])
        renamed(shop, "stock", "pieces")
        assert len(shop.ingest()) == 2
        assert shop.query("SELECT sku, pieces FROM pieces") == [("x", 2)]

    def test_where_objects_stay_it_is_refused(self, loaded: Shop) -> None:
        zone = replace(loaded.zone, leaves=True)
        with pytest.raises(UsageError, match="ECOM_LANDING_DONE is not move"):
            rename(loaded.database, zone, loaded.settings.feeds_dir, "prices", "tariffs", 1.0)
        assert "prices" in catalog(loaded.settings).feeds


def _put_later(shop: Shop, key: str, content: bytes, other: str) -> bool:
    """Put an object; whether the store has it as newer than the other one."""
    shop.put_as(key, content)
    first, second = shop.zone.bucket.head(other), shop.zone.bucket.head(key)
    assert first is not None
    assert second is not None
    return first.modified < second.modified


def _gone(shop: Shop) -> None:
    """Nothing of the feed but the objects that are kept aside and what had landed."""
    assert shop.query("SELECT to_regclass('prices')") == [(None,)]
    assert ("prices",) not in shop.query("SELECT feed FROM ingested_files UNION SELECT feed FROM feeds")
    assert sorted(_names(shop, ".ecom/unloaded/prices/")) == [
        "bad.csv", f"bad.csv{REASON_SUFFIX}", "c.csv", "d.csv", "out.csv"
    ]  # fmt: skip
    assert [key for key in shop.keys(".ecom/") if "/prices/" in key and "unloaded" not in key] == []
    assert len(shop.landed()) == 3
    assert reconcile(shop.database, shop.zone).requeued == ()
    shop.check()


class TestRemoving:
    def test_rows_are_not_lost_by_itself(self, kept: Shop) -> None:
        with pytest.raises(FeedError, match=r"public.prices with 3 rows, the ledger of 3 files"):
            removed(kept, drop_table=False)
        kept.check()

    def test_with_its_table(self, kept: Shop) -> None:
        done = removed(kept)
        assert done.kept == kept.location.url_of(".ecom/unloaded/prices/")
        _gone(kept)
        with pytest.raises(UsageError, match="No feed is called"):
            survey(kept.database, kept.zone, kept.settings.feeds_dir, "prices")

    def test_and_back_again(self, kept: Shop) -> None:
        before = kept.query("SELECT sku, price FROM prices ORDER BY 1")
        done = removed(kept)
        assert done.declaration is not None
        done.declaration.rename(kept.settings.feeds_dir / "prices.yaml")
        for key in kept.keys(".ecom/unloaded/prices/"):
            if key.endswith(("-c.csv", "-d.csv")):
                content = kept.s3.get(kept.location.bucket, kept.location.prefix + key)
                kept.put_as(f"prices/{key.rpartition('/')[2]}", content)
        kept.ingest()
        assert kept.query("SELECT sku, price FROM prices WHERE sku <> 'l' ORDER BY 1") == before

    @pytest.mark.parametrize("step", ["copied", "deleted", "remove_feed"])
    def test_killed_it_goes_on(self, kept: Shop, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
        real = object_returning.ObjectMoves
        with monkeypatch.context() as patch:
            if step == "remove_feed":
                patch.setattr("ecom_platform.tables.removing.remove_feed", _killed)
            else:
                patch.setattr(object_returning, "ObjectMoves", partial(real, hook=killed_at(step)))
            with pytest.raises(Killed):
                removed(kept)
        assert kept.query("SELECT count(*) FROM prices") == [(3,)]
        removed(kept)
        _gone(kept)

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
    def test_an_answer_that_is_lost(self, kept: Shop, method: str) -> None:
        lost = FirstAnswersLost(method)
        with faulty_way(kept.s3, lost) as (endpoint, _):
            removed(kept, endpoint=endpoint)
        assert lost.dropped
        _gone(kept)

    @pytest.mark.parametrize("fails", ["a view", "the store"])
    def test_what_fails_leaves_everything_as_it_was(
        self, kept: Shop, monkeypatch: pytest.MonkeyPatch, fails: str
    ) -> None:
        before = kept.keys()
        if fails == "a view":
            kept.run("CREATE VIEW dear AS SELECT sku FROM prices WHERE price > 2")
            expected: type[Exception] = FeedError
        else:
            real = object_returning.ObjectMoves
            monkeypatch.setattr(object_returning, "ObjectMoves", partial(real, hook=_failing_at("deleted")))
            expected = StorageError
        with pytest.raises(expected):
            removed(kept)
        assert kept.keys() == before
        assert (kept.settings.feeds_dir / "prices.yaml").read_text() == PRICES
        kept.check()

    def test_where_objects_stay_they_are_loaded_anew_when_it_is_declared_again(self, shop: Shop) -> None:
        shop.put_as("prices/c.csv", prices(x="1.00"))
        shop.settings = replace(shop.settings, landing_done="leave")
        shop.ingest()
        before = shop.keys()
        done = removed(shop)
        assert (shop.keys(), shop.claimed()) == (before, [])
        assert done.kept == shop.location.url
        (shop.settings.feeds_dir / "prices.yaml").write_text(PRICES)
        (outcome,) = shop.ingest()
        assert outcome.rows_inserted == 1


def _killed(*given: Any) -> None:
    raise Killed(given)


def _failing_at(step: str) -> Callable[[str], None]:
    def hook(reached: str) -> None:
        if reached == step:
            raise StorageError("The store is away.", "Bring it back.")

    return hook
