"""A feed by another name, and one that is taken out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.catalog import catalog
from ecom_platform.errors import DeclarationError, FeedError, UsageError
from ecom_platform.landing.folder import feed_folders
from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.oncall.trace import trace
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import apply_table
from ecom_platform.store.table_plans import plan_table
from ecom_platform.tables import renaming
from ecom_platform.tables.rebuilding import rebuild
from ecom_platform.tables.removing import remove, survey
from ecom_platform.tables.renaming import rename
from ecom_platform_tests.integration.test_feeds import Platform

TEXT = "columns: {at: timestamptz, page: text, price: {type: integer, max: 9}}\n"
IDENTITIES = {
    "content": "identity: content\nroles: {time: at}\n",
    "numbered": "primary_key: page\nnumbered: true\n",
    "position": "identity: position\n",
    "key": "primary_key: [at, page]\n",
}
A = b"at,page,price\n2026-01-01 10:00:00,home,1\n2026-01-01 10:00:00,home,1\n2026-01-01,x,99\n"


class Declared(Platform):
    """A feed with its declaration in a file."""

    def __init__(self, database: Database, settings: Settings, text: str) -> None:
        self.settings = load_settings(
            {
                "ECOM_HOME": str(settings.home),
                "ECOM_POSTGRES_URL": database.url,
                "ECOM_FEEDS_DIR": str(settings.home / "feeds"),
            }
        )
        self.settings.feeds_dir.mkdir(parents=True)
        (self.settings.feeds_dir / "visits.yaml").write_text(text, encoding="utf-8")
        zone = LandingZone.of(self.settings)
        zone.prepare()
        super().__init__(database, zone, catalog(self.settings).feeds["visits"])

    def called(self, name: str) -> None:
        """Go on as the feed of this name."""
        self.feed = catalog(self.settings).feeds[name]
        self.table = type(self.table)(self.feed)
        self.zone = replace(self.zone, feeds=frozenset({"user_events", name}))
        self.folder = self.zone.landing / name

    def rename(self, old: str = "visits", new: str = "views") -> Any:
        return rename(self.database, self.zone, self.settings.feeds_dir, old, new, 1.0)

    def remove(self, *, drop_table: bool) -> Any:
        where = self.zone, self.settings.feeds_dir, "visits", 1.0
        return remove(self.database, *where, drop_table=drop_table)


@pytest.fixture
def visits(database: Database, settings: Settings, request: pytest.FixtureRequest) -> Declared:
    text = TEXT + getattr(request, "param", IDENTITIES["content"])
    platform = Declared(database, settings, text)
    platform.load(a__csv=A, q__csv=b"nothing\n")
    (platform.folder / "later.csv").write_bytes(A)
    return platform


def stands(platform: Declared) -> None:
    """All is as if the feed had been called views from the first."""
    platform.called("views")
    assert plan_table(platform.database, platform.feed).changes == []
    assert platform.checks() == []
    assert reconcile(platform.database, platform.zone).requeued == ()
    with platform.database.open() as connection:
        found = archive_matches_ledger(connection, platform.zone, whole=True)
        assert (found.passed, found.details["files_not_in_the_archive"]) == (True, 0)
        assert trace(connection, platform.zone, "views/a.csv:2", {"views": platform.feed}).known
    assert platform.query("SELECT DISTINCT feed FROM ingested_files") == [("views",)]
    assert platform.query("SELECT DISTINCT feed, file_name FROM rejected_events") == [
        ("views", "views/a.csv")
    ]
    assert [path.name for path in platform.settings.feeds_dir.iterdir()] == ["views.yaml"]
    left = [
        path
        for path in platform.zone.landing.rglob("*")
        if "visits" in str(path.relative_to(platform.zone.landing))
    ]
    assert left == []


class TestRenaming:
    @pytest.mark.parametrize("visits", IDENTITIES.values(), indirect=True)
    def test_rows_keep_their_ids(self, visits: Declared) -> None:
        before = visits.query("SELECT * FROM visits ORDER BY 1, 2, 3")
        done = visits.rename()
        assert (done.table, done.declaration.name) == ("views", "views.yaml")
        stands(visits)
        assert visits.query("SELECT * FROM views ORDER BY 1, 2, 3") == before
        assert (
            visits.query(
                "SELECT relname FROM pg_class"
                " WHERE relname LIKE '%visits%' AND relnamespace = 'public'::regnamespace"
            )
            == []
        )
        # The file that had landed before is in the folder of the new name.
        (outcome,) = visits.load()
        assert (outcome.name, outcome.rows_inserted) == ("views/later.csv", 0)
        visits.query_and_commit("DELETE FROM views")
        assert visits.checks() != []
        visits.load(again__csv=A)
        assert visits.checks() == []
        assert rebuild(visits.database, visits.zone, visits.feed, 1.0).left_out == []
        assert visits.checks() == []

    @pytest.mark.parametrize("step", ["rename_feed", "_move_folder", "_move_folder 3", "Renamed"])
    def test_killed_it_is_finished_by_running_it_again(
        self, visits: Declared, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        name, _, count = step.partition(" ")
        module = feed_folders if name == "_move_folder" else renaming
        real, calls = getattr(module, name), []

        def killed(*given: Any, **named: Any) -> Any:
            calls.append(given)
            if len(calls) == int(count or 1):
                raise KeyboardInterrupt
            return real(*given, **named)

        monkeypatch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            visits.rename()
        monkeypatch.undo()
        if name != "Renamed":  # until it has its new name, nobody loads it as the one or the other
            assert not {"visits", "views"} & catalog(visits.settings).feeds.keys()
        visits.rename()
        stands(visits)
        visits.rename()
        stands(visits)

    def test_a_declaration_that_was_renamed_by_hand(self, visits: Declared) -> None:
        folder = visits.settings.feeds_dir
        (folder / "visits.yaml").rename(folder / "views.yaml")
        visits.rename()
        stands(visits)

    def test_files_that_have_landed_under_the_new_name(self, visits: Declared) -> None:
        there = visits.zone.landing / "views"
        there.mkdir()
        (there / "later.csv").write_bytes(A + A.splitlines(keepends=True)[1])
        visits.rename()
        stands(visits)
        assert sorted(outcome.rows_read for outcome in visits.load()) == [3, 4]

    def test_a_table_with_a_name_of_its_own_keeps_it(self, database: Database, settings: Settings) -> None:
        visits = Declared(database, settings, TEXT + IDENTITIES["key"] + "table: public.page_views\n")
        visits.load(a__csv=A)
        assert visits.rename().table == "public.page_views"
        visits.called("views")
        assert visits.query("SELECT count(*) FROM page_views") == [(1,)]
        assert visits.checks() == []

    def test_alerts_of_the_old_name(self, visits: Declared) -> None:
        """Of its files they go on, of its checks they are over: nobody else would ever close them."""
        for kind in ("file_quarantined", "check_failed"):
            visits.query_and_commit(
                "INSERT INTO alerts (source, key, kind, severity, title, asset, expected, found, occurred_at,"
                f" last_event_at) VALUES ('{DEFAULT_SOURCE}', '{kind}', '{kind}', 'WARN', '', 'visits', '',"
                " '', now(), now())"
            )
        visits.rename()
        assert visits.query("SELECT kind, asset, resolution FROM alerts ORDER BY 1") == [
            ("check_failed", "visits", "the feed is called views now"),
            ("file_quarantined", "views", None),
        ]

    def test_what_is_refused(self, visits: Declared) -> None:
        folder = visits.settings.feeds_dir
        for old, new in (
            ("visits", "Views"),
            ("visits", "alerts"),
            ("visits", "visits"),
            ("user_events", "x"),
        ):
            with pytest.raises(UsageError):
                visits.rename(old, new)
        with pytest.raises(UsageError, match="No feed is called 'others'"):
            visits.rename("others", "views")
        (folder / "orders.yaml").write_text(TEXT + IDENTITIES["key"], encoding="utf-8")
        with pytest.raises(UsageError, match="There is a feed orders"):
            visits.rename("visits", "orders")
        visits.query_and_commit("CREATE TABLE views (a int)")
        with pytest.raises(FeedError, match="there is one"):
            visits.rename()
        apply_table(visits.database, catalog(visits.settings).feeds["orders"])
        (folder / "orders.yaml").unlink()
        with pytest.raises(FeedError, match="have a table each"):
            visits.rename("visits", "orders")
        assert [path.name for path in folder.iterdir()] == ["visits.yaml"]
        assert visits.checks() == []
        (folder / "visits.yaml").write_text("columns: 1\n", encoding="utf-8")
        with pytest.raises(DeclarationError):
            visits.rename()


class TestRemoving:
    def test_rows_are_not_lost_by_itself(self, visits: Declared) -> None:
        with pytest.raises(
            FeedError, match=r"public.visits with 2 rows, the ledger of 2 files and 1 rejects"
        ):
            visits.remove(drop_table=False)
        assert visits.checks() == []
        assert (visits.settings.feeds_dir / "visits.yaml").exists()

    def test_with_its_table(self, visits: Declared) -> None:
        done = visits.remove(drop_table=True)
        assert done.declaration.name == "visits.yaml.removed"
        assert visits.query("SELECT to_regclass('visits')") == [(None,)]
        for table in ("feeds", "ingested_files", "rejected_events", "lost_rows", "lost_files"):
            assert visits.query(f"SELECT count(*) FROM {table}") == [(0,)]
        kept = sorted(path.name for path in Path(done.kept).iterdir())
        assert kept == ["1-a.csv", "2-q.csv", "2-q.csv.reason.txt"]
        assert reconcile(visits.database, visits.zone).requeued == ()
        assert "visits" not in catalog(visits.settings).feeds
        with pytest.raises(UsageError, match="No feed is called"):
            survey(visits.database, visits.zone, visits.settings.feeds_dir, "visits")

    def test_and_back_again(self, visits: Declared) -> None:
        before = visits.query("SELECT row_id FROM visits ORDER BY 1")
        done = visits.remove(drop_table=True)
        done.declaration.rename(visits.settings.feeds_dir / "visits.yaml")
        apply_table(visits.database, visits.feed)
        visits.load(a__csv=(Path(done.kept) / "1-a.csv").read_bytes())
        assert visits.query("SELECT row_id FROM visits ORDER BY 1") == before
        assert visits.checks() == []

    def test_something_depends_on_it(self, visits: Declared) -> None:
        visits.query_and_commit("CREATE VIEW pages AS SELECT page FROM visits")
        with pytest.raises(FeedError, match="view pages depends on table visits"):
            visits.remove(drop_table=True)
        assert (visits.settings.feeds_dir / "visits.yaml").exists()
        assert visits.checks() == []
        with visits.database.open() as connection:
            found = archive_matches_ledger(connection, visits.zone, whole=True)
        assert found.details["files_not_in_the_archive"] == 0

    def test_killed_it_goes_on(self, visits: Declared, monkeypatch: pytest.MonkeyPatch) -> None:
        def killed(*given: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("ecom_platform.tables.removing.remove_feed", killed)
        with pytest.raises(KeyboardInterrupt):
            visits.remove(drop_table=True)
        monkeypatch.undo()
        assert visits.query("SELECT count(*) FROM visits") == [(2,)]
        assert len(list(Path(visits.remove(drop_table=True).kept).iterdir())) == 3

    def test_one_without_rows(self, database: Database, settings: Settings) -> None:
        visits = Declared(database, settings, TEXT + IDENTITIES["key"])
        assert visits.remove(drop_table=False).has.table == "public.visits"
        assert visits.query("SELECT to_regclass('visits')") == [(None,)]
        assert not list(Path(visits.settings.feeds_dir).glob("*.yaml"))
