"""A feed's table from its archive: after a wrong zone, key or type; killed; with files that are gone."""

from __future__ import annotations

import csv
import os
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecom_platform.errors import FeedError, LockedError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.store import sink
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import prepare_table
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.shadow import Shadow
from ecom_platform.store.table_plans import plan_table
from ecom_platform.tables.rebuilding import Rebuilding, rebuild
from ecom_platform_tests.integration.test_feeds import Platform, declared

VISITS = """
columns:
  at: {type: timestamp, time_format: "%Y-%m-%d %H:%M"}
  page: text
  seconds: {type: integer, max: 100}
identity: content
"""
FIXED = VISITS.replace("type: timestamp,", "type: timestamptz, zone: Europe/Berlin,") + "roles: {time: at}\n"
A = b"at,page,seconds\n2026-01-02 10:00,home,5\n2026-01-02 10:00,home,5\n2026-01-02 10:01,cart,500\n"
B = b"at,page,seconds\n2026-01-02 10:00,home,5\n2026-01-02 12:00,end,7\n"


@pytest.fixture
def visits(database: Database, zone: LandingZone) -> Platform:
    platform = Platform(database, zone, declared(VISITS, "visits"))
    assert platform.counts(a__csv=A) == (3, 2, 0, 1)
    assert platform.counts(b__csv=B) == (2, 1, 1, 0)
    return platform


def again(platform: Platform, text: str, **options: Any) -> Rebuilding:
    done = rebuild(platform.database, platform.zone, declared(text, platform.feed.name), 1.0, **options)
    platform.feed = declared(text, platform.feed.name)
    platform.table = type(platform.table)(platform.feed)
    return done


def state(platform: Platform) -> list[list[tuple[Any, ...]]]:
    """All that a rebuilding changes."""
    return [
        platform.query(f"SELECT * FROM {platform.table.qualified} ORDER BY 1, 2, 3"),
        platform.query("SELECT * FROM ingested_files ORDER BY 1"),
        platform.query("SELECT file_id, line_number, reason, replayed_at FROM rejected_events ORDER BY 1, 2"),
        platform.query("SELECT * FROM feeds"),
        platform.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ecom_rebuild%'"),
    ]


def fresh(platform: Platform, text: str, name: str = "reference") -> list[tuple[Any, ...]]:
    """What the files make of a feed that was declared so from the first."""
    other = Platform(platform.database, platform.zone, declared(text, name))
    for path in sorted(platform.zone.archive.rglob("*.csv"), key=lambda path: path.name):
        other.load(**{path.name.replace(".", "__"): path.read_bytes()})
    columns = ", ".join(f'"{column}"' for column in other.table.types)
    return other.query(f"SELECT {columns} FROM {other.table.qualified} ORDER BY {columns}")


def rows(platform: Platform) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{column}"' for column in platform.table.types)
    return platform.query(f"SELECT {columns} FROM {platform.table.qualified} ORDER BY {columns}")


class TestWhatItMakes:
    @pytest.mark.parametrize(
        "text",
        [
            FIXED,
            VISITS.replace("content", "position"),
            VISITS.replace("identity: content", "primary_key: [at, page]"),
            VISITS.replace("identity: content", "primary_key: page\nnumbered: true"),
            VISITS.replace("max: 100", "max: 1000").replace("integer", "text").replace(", max: 1000", ""),
            VISITS.replace("page: text", 'page: {type: text null, nulls: ["", end]}'),
        ],
    )
    def test_it_is_as_if_it_had_been_declared_so_from_the_first(self, visits: Platform, text: str) -> None:
        assert plan_table(visits.database, declared(text, "visits")).changes
        done = again(visits, text)
        assert (done.rebuilt.files, done.rebuilt.read, done.left_out) == (2, 5, [])
        assert plan_table(visits.database, visits.feed).changes == []
        assert visits.checks() == []
        assert rows(visits) == fresh(visits, text)
        assert visits.counts(again__csv=A)[1] == 0
        assert visits.checks() == []

    def test_counts_and_rejects_are_those_of_the_new_table(self, visits: Platform) -> None:
        wider = FIXED.replace("max: 100", "max: 1000")
        ended = visits.query("SELECT finished_at, batch_id, landed_at FROM ingested_files ORDER BY file_id")
        again(visits, wider)
        assert visits.query(
            "SELECT rows_read, rows_inserted, rows_duplicate, rows_rejected, declaration IS NOT NULL"
            " FROM ingested_files ORDER BY file_id"
        ) == [(3, 3, 0, 0, True), (2, 1, 1, 0, True)]
        assert visits.query("SELECT count(*) FROM rejected_events") == [(0,)]
        assert ended == visits.query("SELECT finished_at, batch_id, landed_at FROM ingested_files ORDER BY 1")
        assert visits.query("SELECT count(*) FROM lost_files") == [(0,)]
        visits.query_and_commit("DELETE FROM visits WHERE page = 'cart'")
        assert visits.checks() == ["table_matches_ledger: 1 file differs: 1 rows are missing"]
        assert visits.counts(c__csv=A) == (3, 1, 2, 0)
        assert visits.checks() == []

    def test_a_feed_without_files_and_one_in_a_schema_of_its_own(
        self, database: Database, zone: LandingZone
    ) -> None:
        with database.transaction() as connection:
            connection.execute("CREATE SCHEMA sales")
        text = VISITS + "table: sales.order\n"
        platform = Platform(database, zone, declared(text, "visits"))
        again(platform, FIXED + "table: sales.order\n")
        assert platform.counts(a__csv=A) == (3, 2, 0, 1)
        again(platform, text)
        assert platform.query('SELECT count(*) FROM sales."order"') == [(2,)]
        assert platform.checks() == []
        assert platform.counts(b__csv=A)[1] == 0

    def test_user_events_with_what_hangs_on_them(self, database: Database, zone: LandingZone) -> None:
        from ecom_platform.catalog import packaged
        from ecom_platform.shop.rollups import HOURLY_SALES, reconciles, refresh
        from ecom_platform_tests.landing import csv_file, line

        platform = Platform(database, zone, packaged()["user_events"])
        platform.load(a__csv=csv_file(line(), line(), line()))
        refresh(database, HOURLY_SALES)
        platform.query_and_commit("UPDATE user_events SET price = 1")
        refresh(database, HOURLY_SALES)
        shape = "SELECT indexdef FROM pg_indexes WHERE tablename = 'user_events' ORDER BY 1"
        triggers = (
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = 'user_events'::regclass ORDER BY 1"
        )
        before = platform.query(shape), platform.query(triggers)
        rebuild(database, zone, platform.feed, 1.0)
        assert (platform.query(shape), platform.query(triggers)) == before
        assert platform.query("SELECT DISTINCT price::text FROM user_events") == [("19.99",)]
        assert platform.checks() == []
        assert reconciles(database, HOURLY_SALES, "check").passed
        refresh(database, HOURLY_SALES)
        assert reconciles(database, HOURLY_SALES, "check").passed
        assert platform.query("SELECT sum(revenue)::text FROM hourly_sales") == [("59.97",)]


class TestKilled:
    @pytest.mark.parametrize("step", ["locked", "copied", "settled", "committed"])
    def test_while_it_is_filled(self, visits: Platform, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
        before = state(visits)
        real = sink.load_unit

        def killed(*given: Any, **named: Any) -> Any:
            def hook(name: str) -> None:
                if name == step:
                    raise KeyboardInterrupt

            return real(*given, hook=hook, **named)

        monkeypatch.setattr("ecom_platform.tables.rebuilding.load_unit", killed)
        with pytest.raises(KeyboardInterrupt):
            again(visits, FIXED)
        assert state(visits)[:4] == before[:4]
        monkeypatch.undo()
        assert again(visits, FIXED).continued
        assert visits.checks() == []
        assert rows(visits) == fresh(visits, FIXED)

    @pytest.mark.parametrize("step", ["empty_old", "put_in_place", "renew_rejects", "drop_shadow"])
    def test_while_they_change_places(
        self, visits: Platform, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        before = state(visits)
        real, begun = Shadow._sql, []

        def killed(shadow: Shadow, name: str, **more: str) -> bytes:
            begun.append(name)
            if name == step and "owner_of_old" in begun:
                raise KeyboardInterrupt
            return real(shadow, name, **more)

        monkeypatch.setattr(Shadow, "_sql", killed)
        with pytest.raises(KeyboardInterrupt):
            again(visits, FIXED)
        assert state(visits)[:4] == before[:4]
        monkeypatch.undo()
        assert again(visits, FIXED).continued
        assert visits.checks() == []

    def test_another_declaration_begins_anew(self, visits: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        def killed(*given: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Shadow, "replays", killed)
        with pytest.raises(KeyboardInterrupt):
            again(visits, FIXED)
        monkeypatch.undo()
        other = VISITS.replace("content", "position")
        assert not again(visits, other).continued
        assert rows(visits) == fresh(visits, other)

    def test_beside_a_load(self, visits: Platform) -> None:
        with ingest_lock(visits.database, 1.0), pytest.raises(LockedError):
            rebuild(visits.database, visits.zone, declared(FIXED, "visits"), 0.0)


def archived(platform: Platform, name: str) -> Path:
    (path,) = platform.zone.archive.rglob(f"*-{name}")
    return path


def overwrite(path: Path, content: bytes) -> None:
    """As a disk does that rots: what has another time has been written to, and lands again."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class TestWhatTheArchiveDoesNotHave:
    @pytest.mark.parametrize("content", [None, A[:-1], A.replace(b"500", b"501")])
    def test_a_file_that_is_gone_or_of_other_bytes(self, visits: Platform, content: bytes | None) -> None:
        path, before = archived(visits, "a.csv"), state(visits)
        if content is None:
            path.unlink()
        else:
            overwrite(path, content)
        with pytest.raises(FeedError, match=r"visits/a.csv \(file 1\)") as refused:
            again(visits, FIXED)
        assert "--partial" in refused.value.remedy
        assert state(visits) == before
        done = again(
            visits, FIXED, **({"partial": True} if content is None else {"without": ["visits/a.csv"]})
        )
        assert [one.file for one in done.left_out] == ["visits/a.csv (file 1)"]
        assert done.rebuilt.kept_in == "public.visits_left_out"
        assert visits.query("SELECT file_id, count(*) FROM visits_left_out GROUP BY 1") == [(1, 2)]
        # What only the left-out file was first with is there from the other one.
        assert visits.query("SELECT count(*) FROM visits") == [(2,)]
        assert visits.query(
            "SELECT state, rows_read, left(reason, 8) FROM ingested_files ORDER BY file_id"
        ) == [
            ("quarantined", 0, "left out"),
            ("loaded", 2, None),
        ]
        assert visits.checks() == []
        if content is None:
            assert reconcile(visits.database, visits.zone).requeued == ()

    def test_other_bytes_are_left_out_by_partial(self, visits: Platform) -> None:
        overwrite(archived(visits, "a.csv"), A.replace(b"500", b"501"))
        assert [one.reason for one in again(visits, FIXED, partial=True).left_out] == [
            "other bytes than were loaded"
        ]
        assert visits.query("SELECT DISTINCT file_id FROM visits") == [(2,)]
        assert visits.checks() == []

    def test_a_file_that_the_new_declaration_cannot_read(self, visits: Platform) -> None:
        text = VISITS.replace("page: text", "page: {type: text, from: Page}")
        before = state(visits)
        with pytest.raises(FeedError, match=r"visits/a.csv \(file 1\): .*Page"):
            again(visits, text)
        assert state(visits) == before
        done = again(visits, text, partial=True)
        assert len(done.left_out) == 2
        assert visits.checks() == []
        assert len(list(visits.zone.quarantine.rglob("*.csv"))) == 2
        assert reconcile(visits.database, visits.zone).requeued == ()

    def correct(self, platform: Platform, folder: Path) -> None:
        path = folder / "fixed.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["at", "page", "seconds", "file_name", "line_number"])
            writer.writerow(["2026-01-02 10:01", "cart", "50", "visits/a.csv", "4"])
        assert replay_corrected(platform.database, path, platform.feed, platform.zone).loaded == 1

    def test_a_row_that_was_corrected_by_hand(self, visits: Platform, tmp_path: Path) -> None:
        self.correct(visits, tmp_path)
        before = state(visits)
        with pytest.raises(FeedError, match=r"visits/a\.csv, line 4") as refused:
            again(visits, FIXED)
        assert "--fixed" in refused.value.remedy
        assert state(visits)[:4] == before[:4]
        done = again(visits, FIXED, partial=True)
        assert done.rebuilt.kept_in == "public.visits_left_out"
        assert ("cart", 50) in visits.query("SELECT page, seconds FROM visits_left_out")
        assert visits.checks() == []
        self.correct(visits, tmp_path)
        assert ("cart", 50) in visits.query("SELECT page, seconds FROM visits")
        assert visits.checks() == []

    @pytest.mark.parametrize(
        "text",
        [
            VISITS,
            VISITS.replace("integer", "bigint"),
            VISITS.replace("page: text", "page: {type: text, in: [home, end, cart]}"),
        ],
    )
    def test_one_that_means_the_same_is_taken_over(self, visits: Platform, tmp_path: Path, text: str) -> None:
        self.correct(visits, tmp_path)
        before = rows(visits)
        ledger = "SELECT rows_inserted, rows_duplicate, rows_rejected FROM ingested_files ORDER BY file_id"
        counts = visits.query(ledger)
        done = again(visits, text)
        assert (done.carried, done.left_out, done.rebuilt.kept_in) == (1, [], None)
        assert rows(visits) == before
        assert visits.query(ledger) == counts
        assert visits.query("SELECT replayed_at IS NOT NULL FROM rejected_events") == [(True,)]
        assert visits.checks() == []
        assert visits.counts(c__csv=A) == (3, 0, 2, 1)
        # And once more, as often as one likes.
        assert again(visits, text).carried == 1
        assert visits.checks() == []

    def test_one_whose_place_another_file_has_now(self, visits: Platform, tmp_path: Path) -> None:
        """It is not certain any more which row is which."""
        self.correct(visits, tmp_path)
        assert visits.counts(c__csv=A.replace(b"500", b"50"))[1] == 0
        with pytest.raises(FeedError, match=r"visits/a\.csv, line 4"):
            again(visits, VISITS)
        assert visits.checks() == []

    def test_one_that_was_replayed_as_it_is_is_as_it_is(self, visits: Platform) -> None:
        wider = declared(VISITS.replace("max: 100", "max: 1000"), "visits")
        assert replay_as_they_are(visits.database, visits.zone, {"visits": wider}).loaded == 1
        done = again(visits, FIXED.replace("max: 100", "max: 1000"))
        assert done.left_out == []
        assert visits.query("SELECT count(*) FROM visits WHERE page = 'cart'") == [(1,)]
        assert visits.checks() == []

    def test_rows_that_somebody_has_written(self, visits: Platform) -> None:
        visits.query_and_commit(
            "INSERT INTO visits VALUES ('2026-01-01', 'mine', 1, '00000000-0000-8000-8000-000000000000', 999)"
        )
        with pytest.raises(FeedError, match="1 rows that somebody has written"):
            again(visits, FIXED)
        again(visits, FIXED, partial=True)
        assert visits.query("SELECT page FROM visits_left_out") == [("mine",)]
        assert visits.checks() == []

    def test_a_replay_meanwhile(self, visits: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        wider = declared(VISITS.replace("max: 100", "max: 1000"), "visits")
        real = Shadow.put_in_place

        def late(shadow: Shadow, *given: Any, **named: Any) -> Any:
            replay_as_they_are(visits.database, visits.zone, {"visits": wider})
            return real(shadow, *given, **named)

        monkeypatch.setattr(Shadow, "put_in_place", late)
        with pytest.raises(FeedError, match="rejects replayed, while"):
            again(visits, FIXED)
        assert visits.checks() == []


class TestWhatHangsOnIt:
    def test_grants_comments_indexes_and_triggers_are_kept(self, visits: Platform) -> None:
        role = f"reader_{uuid.uuid4().hex[:12]}"
        for statement in (
            f"CREATE ROLE {role}",
            f"GRANT SELECT ON visits TO {role}",
            f"GRANT UPDATE (page) ON visits TO {role}",
            "COMMENT ON TABLE visits IS 'who came'",
            "COMMENT ON COLUMN visits.page IS 'where'",
            "CREATE INDEX by_page ON visits (lower(page))",
            "ALTER TABLE visits ADD CONSTRAINT no_admin CHECK (page <> 'admin')",
            "ALTER TABLE visits SET (fillfactor = 70)",
            "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.page = upper(NEW.page); RETURN NEW; END $$",
            "CREATE TRIGGER loud BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION loud()",
        ):
            visits.query_and_commit(statement)
        again(visits, FIXED)
        assert visits.query(
            f"SELECT has_table_privilege('{role}', 'visits', 'SELECT'),"
            f" has_column_privilege('{role}', 'visits', 'page', 'UPDATE'),"
            " obj_description('visits'::regclass), reloptions FROM pg_class WHERE oid = 'visits'::regclass"
        ) == [(True, True, "who came", ["fillfactor=70"])]
        assert visits.query("SELECT col_description('visits'::regclass, 2)") == [("where",)]
        assert visits.query("SELECT to_regclass('by_page')::text") == [("by_page",)]
        assert visits.query("SELECT DISTINCT upper(page) = page FROM visits") == [(True,)]
        with pytest.raises(psycopg.errors.CheckViolation):
            visits.query_and_commit("UPDATE visits SET page = 'admin'")
        assert again(visits, FIXED).left_out == []
        visits.query_and_commit(f"DROP OWNED BY {role}; DROP ROLE {role}")

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("CREATE VIEW pages AS SELECT page FROM visits", "view pages depends on table visits"),
            ("CREATE POLICY mine ON visits USING (true)", "the policy mine"),
            ("CREATE PUBLICATION all_visits FOR TABLE visits", "the publication all_visits"),
            ("ALTER TABLE visits ADD COLUMN note text", "the column note that no declaration has"),
            ("CREATE INDEX by_second ON visits (abs(seconds))", "index by_second"),
        ],
    )
    def test_what_cannot_be_kept_is_named(self, visits: Platform, statement: str, said: str) -> None:
        visits.query_and_commit(statement)
        before = state(visits)
        text = VISITS.replace("{type: integer, max: 100}", "text")
        with pytest.raises(FeedError, match=said):
            again(visits, text)
        assert state(visits)[:4] == before[:4]

    def test_a_feed_without_a_table(self, database: Database, zone: LandingZone) -> None:
        with pytest.raises(FeedError, match="has no table yet"):
            rebuild(database, zone, declared(VISITS, "visits"), 1.0)

    def test_the_role_may_not(self, visits: Platform) -> None:
        role = f"limited_{uuid.uuid4().hex[:12]}"
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        ):
            visits.query_and_commit(statement)
        limited = Database(visits.database.url.replace("ecom@", f"{role}@"))
        with pytest.raises(FeedError, match="cannot be rebuilt by this role"):
            rebuild(limited, visits.zone, declared(FIXED, "visits"), 1.0)
        visits.query_and_commit(f"DROP OWNED BY {role}; DROP ROLE {role}")
        prepare_table(visits.database, visits.feed)
