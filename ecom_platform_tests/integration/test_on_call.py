"""Trace, rejects, reload, reconcile: what the person on call relies on. Real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing.folder.claim import claim, finish, recover
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reconcile, reload_files, reload_since
from ecom_platform.oncall.trace import trace
from ecom_platform.server import EmbeddedServer, binary
from ecom_platform.shop.event import HEADER
from ecom_platform.store import audit, ledger, rejects
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.store.schema import migrate
from ecom_platform.store.statements import queries
from ecom_platform_tests import runbook
from ecom_platform_tests.landing import Landing, counts, csv_file, line, matches_ledger, stored_rows

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


def ask(landing: Landing, wanted: str):  # type: ignore[no-untyped-def]
    with landing.database.open() as connection:
        return trace(connection, landing.zone, wanted)


def stored(landing: Landing) -> int:
    with landing.database.open() as connection:
        return stored_rows(connection)


def execute(landing: Landing, sql: str) -> None:
    with landing.database.transaction() as connection:
        connection.execute(sql)


def dump(landing: Landing, backup: Path) -> Path:
    subprocess.run([binary("pg_dump"), "-Fc", "-f", backup, landing.database.url], check=True)
    return backup


def restore(landing: Landing, backup: Path) -> None:
    execute(landing, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    subprocess.run([binary("pg_restore"), "--no-owner", "-d", landing.database.url, backup], check=True)


def put_away(landing: Landing, outcomes: list[FileOutcome]) -> None:
    with landing.database.open() as connection:
        for state in ledger.states(connection, [outcome.file_id for outcome in outcomes]).values():
            finish(landing.zone, state)


def assert_ledger_holds(landing: Landing) -> None:
    with landing.database.open() as connection:
        for finding in (
            audit.counts_reconcile(connection),
            matches_ledger(landing.database),
        ):
            assert finding.passed, finding


class TestSwappedIn:
    """Something else in the place of a file, after the landing folder was looked at."""

    @pytest.mark.parametrize("kind", ["link", "pipe"])
    @pytest.mark.parametrize("interrupted", [False, True])
    def test_is_quarantined_and_nothing_of_it_read(
        self, landing: Landing, tmp_path: Path, kind: str, interrupted: bool
    ) -> None:
        (tmp_path / "secret").write_bytes(csv_file(b"the secret of another"))
        for name in ("a.csv", "b.csv"):
            (landing.zone.landing / name).write_bytes(csv_file(line()))
        seen = [look(landing.zone.landing).files[name] for name in ("a.csv", "b.csv")]
        swapped = landing.zone.landing / "a.csv"
        swapped.unlink()
        if kind == "link":
            swapped.symlink_to(tmp_path / "secret")
        else:
            os.mkfifo(swapped)
        if interrupted:  # between the row and the rename
            with landing.database.transaction() as connection:
                ledger.register(connection, ["a.csv", "b.csv"], [1, 1], [file.landed_at for file in seen])
            recover(landing.database, landing.zone)
        else:
            claim(landing.database, landing.zone, seen)
        with landing.database.open() as connection:
            taken = ledger.claimed(connection)
        paths = [str(landing.zone.claimed_path(file.file_id, file.name)) for file in taken]
        units = [UnitFile(file.file_id, file.name, path) for file, path in zip(taken, paths, strict=True)]
        outcomes = landing.load(units)
        assert [outcome.state for outcome in outcomes] == ["quarantined", "loaded"]
        put_away(landing, outcomes)
        assert "not_a_file" in ask(landing, "a.csv").verdict
        assert landing.rejects() == []
        assert stored(landing) == 1


class TestTrace:
    def test_an_event_is_found_with_its_line(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        drop(landing, "a.csv", line(), line(key), line())
        answer = ask(landing, key.upper())
        assert answer.known
        assert (answer.facts[0]["file"], answer.facts[0]["line"]) == ("a.csv", 3)
        assert answer.facts[0]["run_id"] == "test"

    def test_in_a_compressed_file(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        (landing.zone.landing / "a.csv.gz").write_bytes(gzip.compress(csv_file(line(), line(key))))
        landing.ingest()
        assert ask(landing, key).facts[0]["line"] == 3

    def test_the_line_that_is_stored_not_the_one_that_was_refused(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        good = line(key)
        drop(landing, "a.csv", line(), good.replace(b"19.99", b"NaN"), good, good.replace(b"19.99", b"20.00"))
        stored_fact, *refused = ask(landing, key).facts
        assert (stored_fact["line"], stored_fact["as_in_file"]) == (4, True)
        assert [(fact["line"], fact["reason"]) for fact in refused] == [(3, "not_finite"), (5, "id_conflict")]
        assert "line 4. It was refused in 2 other rows." in ask(landing, key).verdict

    @pytest.mark.parametrize("spelled", [str.lower, str.upper, str.swapcase, str.title])
    def test_an_id_in_any_case(self, landing: Landing, spelled: Callable[[str], str]) -> None:
        stored_key, refused_key = (
            "abcdef12-3456-4abc-8def-abcdefabcdef",
            "fedcba98-3456-4abc-8def-abcdefabcdef",
        )
        drop(
            landing,
            "a.csv",
            line(),
            line(spelled(stored_key)),
            line(spelled(refused_key)).replace(b",DE", b",\xff\\"),
        )
        for asked in (str.lower, str.upper):
            assert ask(landing, asked(stored_key)).facts[0]["line"] == 3
            assert ask(landing, asked(refused_key)).facts[0]["line"] == 4

    def test_a_row_that_was_changed_in_the_table(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        drop(landing, "a.csv", line(), line(key))
        execute(landing, "UPDATE user_events SET price = 1")
        assert "line 3, which has other values" in ask(landing, key).verdict

    def test_a_corrected_row(self, landing: Landing, tmp_path: Path) -> None:
        key = str(uuid.uuid4())
        drop(landing, "a.csv", line(key).replace(b"19.99", b"NaN"))
        fixed = tmp_path / "fixed.csv"
        fixed.write_bytes(csv_file(line(key)))
        replay_corrected(landing.database, fixed)
        answer = ask(landing, key)
        assert "a.csv (no line that can be read there has it" in answer.verdict
        assert answer.facts[1]["line"] == 2 and answer.facts[1]["replayed_at"]

    def test_rejects_are_not_searched_one_by_one(self, landing: Landing) -> None:
        statement = str(queries("oncall").rejects_with.sql).replace("%(key)s", "'x'")
        with landing.database.transaction() as connection:
            connection.execute("SET LOCAL enable_seqscan = off")
            plan = connection.execute("EXPLAIN " + statement).fetchall()
        assert "rejected_events_id" in str(plan)

    def test_a_refused_event(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        drop(landing, "a.csv", line(key).replace(b"19.99", b"NaN"))
        answer = ask(landing, key)
        assert "not_finite" in answer.verdict
        assert answer.facts[0]["line"] == 2

    def test_a_file_and_its_counts(self, landing: Landing) -> None:
        drop(landing, "a.csv", line(), b"bad")
        for wanted in ("a.csv", "1-a.csv", "1", "/somewhere/archive/1-a.csv"):
            (fact,) = ask(landing, wanted).facts
            counts = {"read": 2, "inserted": 1, "updated": 0, "stale": 0, "duplicate": 0, "rejected": 1}
            assert fact["rows"] == counts
            assert fact["rejects"] == {"missing_fields": 1}
            assert Path(fact["path"]).is_file()

    def test_a_quarantined_file(self, landing: Landing) -> None:
        (landing.zone.landing / "a.csv").write_text("x,y\n")
        landing.ingest()
        assert "wrong_header" in ask(landing, "a.csv").verdict

    @pytest.mark.parametrize("wanted", ["b.csv", "5d6e8a1d-8d4b-4cd8-acd8-1f15803efbab"])
    def test_what_nobody_knows(self, landing: Landing, wanted: str) -> None:
        assert not ask(landing, wanted).known


class TestRejects:
    def test_groups_by_reason(self, landing: Landing) -> None:
        drop(landing, "a.csv", b"bad", line(), b"worse", line().replace(b"DE", b"XX"))
        with landing.database.open() as connection:
            found = {group.reason: (group.rows, group.line_number) for group in rejects.groups(connection)}
        assert found == {"missing_fields": (2, 2), "not_in_list": (1, 5)}

    def test_what_is_still_bad_stays(self, landing: Landing) -> None:
        drop(landing, "a.csv", b"bad")
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {
            ReplayVerdict.STILL_REJECTED: 1
        }
        assert_ledger_holds(landing)

    def test_a_conflict_whose_rival_is_gone(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        drop(landing, "a.csv", line(key), line(key).replace(b"19.99", b"20.00"))
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {
            ReplayVerdict.STILL_CONFLICTS: 1
        }
        execute(landing, "DELETE FROM user_events")
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {ReplayVerdict.INSERTED: 1}
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {}
        assert stored(landing) == 1

    def test_corrected_rows_are_loaded_once_each(self, landing: Landing, tmp_path: Path) -> None:
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        drop(
            landing, "a.csv", line(first).replace(b"19.99", b"-1"), line(second).replace(b"DE", b"XX"), line()
        )
        fixed = tmp_path / "fixed.csv"
        fixed.write_bytes(csv_file(line(first), line(second)))
        assert replay_corrected(landing.database, fixed).verdicts == {ReplayVerdict.INSERTED: 2}
        again = replay_corrected(landing.database, fixed)
        assert (again.loaded, len(again.unmatched)) == (0, 2)
        assert stored(landing) == 3
        assert_ledger_holds(landing)

    def test_a_wrong_id_is_matched_by_its_place(self, landing: Landing, tmp_path: Path) -> None:
        drop(landing, "a.csv", line("nonsense"))
        fixed = tmp_path / "fixed.csv"
        fixed.write_bytes(f"{HEADER},file_name,line_number\n".encode() + line() + b",a.csv,2\n")
        assert replay_corrected(landing.database, fixed).verdicts == {ReplayVerdict.INSERTED: 1}
        assert_ledger_holds(landing)

    def test_columns_in_another_order(self, landing: Landing) -> None:
        names = HEADER.split(",")
        values = dict(zip(names, line().decode().split(","), strict=True)) | {"price": "19.999"}
        turned = names[::-1]
        content = ",".join(turned) + "\n" + ",".join(values[name] for name in turned) + "\n"
        (landing.zone.landing / "a.csv").write_text(content)
        landing.ingest()
        execute(
            landing,
            "UPDATE rejected_events SET raw = replace(convert_from(raw, 'UTF8'), '19.999', '19.99')::bytea",
        )
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {ReplayVerdict.INSERTED: 1}

    def test_a_file_of_corrections_with_other_columns(self, landing: Landing, tmp_path: Path) -> None:
        fixed = tmp_path / "fixed.csv"
        fixed.write_text("a,b\n1,2\n")
        with pytest.raises(UsageError, match="has 2 columns that are not known"):
            replay_corrected(landing.database, fixed)


class TestReload:
    def test_deleted_rows_come_back_and_the_checks_agree(self, landing: Landing) -> None:
        drop(landing, "a.csv", line(), line(), line())
        execute(
            landing, "DELETE FROM user_events WHERE event_id IN (SELECT event_id FROM user_events LIMIT 2)"
        )
        finding = matches_ledger(landing.database)
        assert not finding.passed
        assert any("a.csv" in name for name in finding.details)
        assert reload_files(landing.database, landing.zone, ["a.csv"]) == ["a.csv"]
        (outcome,) = landing.ingest()
        assert counts(outcome) == (3, 2, 1, 0)
        assert_ledger_holds(landing)

    def test_since(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        before = datetime.now(UTC)
        drop(landing, "b.csv", line())
        assert reload_since(landing.database, landing.zone, before) == ["b.csv"]
        assert reload_since(landing.database, landing.zone, before + timedelta(days=1)) == []

    def test_every_file_of_a_name_comes_back(self, landing: Landing) -> None:
        before = datetime.now(UTC)
        for _ in range(3):
            drop(landing, "a.csv", line(), line())
        execute(landing, "DELETE FROM user_events")
        assert reload_since(landing.database, landing.zone, before) == ["a.csv", "2-a.csv", "3-a.csv"]
        landing.ingest()
        assert stored(landing) == 6
        assert_ledger_holds(landing)

    def test_the_same_file_said_twice(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        assert reload_files(landing.database, landing.zone, ["a.csv", "1"]) == ["a.csv"]

    def test_all_or_nothing(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        with pytest.raises(UsageError, match=r"nope\.csv"):
            reload_files(landing.database, landing.zone, ["a.csv", "nope.csv"])
        assert not (landing.zone.landing / "a.csv").exists()

    def test_a_file_that_is_gone_from_the_archive(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        next(landing.zone.archive.rglob("*a.csv")).unlink()
        with pytest.raises(StorageError, match="not in the archive"):
            reload_files(landing.database, landing.zone, ["a.csv"])


class TestReconcile:
    def test_nothing_to_do(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        done = reconcile(landing.database, landing.zone)
        assert (done.requeued, done.missing, done.put_away) == ((), (), 0)

    def test_a_restored_backup(self, landing: Landing, tmp_path: Path) -> None:
        drop(landing, "old.csv", line(), line())
        backup = dump(landing, tmp_path / "backup.dump")
        drop(landing, "new.csv", line(), line(), line())
        drop(landing, "newer.csv", line())
        restore(landing, backup)
        assert stored(landing) == 2

        done = reconcile(landing.database, landing.zone)
        assert sorted(done.requeued) == ["new.csv", "newer.csv"]
        landing = Landing(landing.database, landing.zone)
        landing.ingest()
        assert stored(landing) == 6
        assert reconcile(landing.database, landing.zone).requeued == ()
        assert_ledger_holds(landing)
        landing.check()

    @pytest.mark.parametrize("put_right", [reconcile, recover])
    def test_a_backup_made_during_a_load(
        self, landing: Landing, tmp_path: Path, put_right: Callable[[Database, LandingZone], object]
    ) -> None:
        drop(landing, "old.csv", line(), line())
        (landing.zone.landing / "loading.csv").write_bytes(csv_file(line(), line(), line()))
        (landing.zone.landing / "unreadable.csv").write_bytes(b"x,y\n")
        files = landing.take()
        backup = dump(landing, tmp_path / "backup.dump")
        put_away(landing, landing.load(files))
        assert list(landing.zone.claimed.iterdir()) == []
        # Another of the name of the claimed one, which is not to be taken for it.
        (landing.zone.landing / "loading.csv").write_bytes(csv_file(line()))
        restore(landing, backup)

        put_right(landing.database, landing.zone)
        landing = Landing(landing.database, landing.zone)
        outcomes = landing.load(files)
        put_away(landing, outcomes)
        assert [outcome.state for outcome in outcomes] == ["loaded", "quarantined"]
        assert stored(landing) == 5
        landing.ingest()
        assert stored(landing) == 6
        done = reconcile(landing.database, landing.zone)
        assert (done.requeued, done.missing, done.taken_back) == ((), (), 0)
        assert_ledger_holds(landing)
        landing.check()

    def test_a_restore_where_the_tables_have_an_owner(self, tmp_path: Path, zone: LandingZone) -> None:
        """As in the compose stack: the runbook's commands, and every role may what it could before."""
        roles = (REPOSITORY / "docker" / "init" / "10-roles.sql").read_text().splitlines()
        names = ("owner", "ingest", "reader", "dagster")
        script = [f"\\set {name}_password x" for name in names]
        script += [text for text in roles if not text.startswith("\\set")]
        with EmbeddedServer(tmp_path / "postgres") as server:
            superuser = ["-v", "ON_ERROR_STOP=1", "-q", "-d", server.url]
            subprocess.run([binary("psql"), *superuser], input="\n".join(script), text=True, check=True)
            owner, ingest, reader = (
                Database(server.url.replace("//ecom@", f"//ecom_{name}@")) for name in names[:3]
            )
            migrate(owner)
            landing = Landing(ingest, zone)
            drop(landing, "old.csv", line(), line())
            privileges = "SELECT defaclacl::text FROM pg_default_acl ORDER BY 1"
            with owner.open() as connection:
                before = connection.execute(privileges).fetchall()
            backup = tmp_path / "backup.dump"
            subprocess.run([binary("pg_dump"), "-Fc", "-n", "public", "-f", backup, server.url], check=True)
            drop(landing, "new.csv", line())

            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                execute(landing, "DROP SCHEMA public CASCADE")
            done = runbook.execute(runbook.block("cat > drop.sql"), tmp_path, Database(server.url))
            assert done.returncode == 0
            restored = tmp_path / "restore.sql"
            options = ["--no-owner", "-n", "public", "-f", restored]
            subprocess.run([binary("pg_restore"), *options, backup], check=True)
            steps = ["-v", "schema=public", "-1", "-c", "SET ROLE ecom_owner", "-f", "-"]
            script = (tmp_path / "drop.sql").read_text() + restored.read_text()
            subprocess.run([binary("psql"), *superuser, *steps], input=script, text=True, check=True)

            assert reconcile(ingest, zone).requeued == ("new.csv",)
            landing = Landing(ingest, zone)
            landing.ingest()
            assert stored(Landing(ingest, zone)) == 3
            with reader.open() as connection:
                assert connection.execute("SELECT count(*) FROM user_events").fetchall() == [(3,)]
            with owner.open() as connection:
                assert connection.execute(privileges).fetchall() == before
            landing.check()

    def test_a_ledger_older_than_the_disk_gives_no_number_twice(
        self, landing: Landing, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        drop(landing, "old.csv", line())
        backup = dump(landing, tmp_path / "backup.dump")
        drop(landing, "new.csv", line(), line())
        (archived,) = landing.zone.archive.rglob("2-new.csv")
        content = archived.read_bytes()
        restore(landing, backup)
        landing = Landing(landing.database, landing.zone)

        # Who does not recover first would be given the number that the file on disk has.
        (landing.zone.landing / "new.csv").write_bytes(csv_file(line()))
        with pytest.raises(StorageError, match=r"2-new\.csv.*ecom reconcile"):
            landing.take()
        assert (landing.zone.landing / "new.csv").is_file()

        recover(landing.database, landing.zone)
        assert "2-new.csv is not in the ledger" in caplog.text
        landing.ingest()
        assert stored(landing) == 2
        assert archived.read_bytes() == content
        assert reconcile(landing.database, landing.zone).requeued == ("new.csv",)
        caplog.clear()
        recover(landing.database, landing.zone)
        assert caplog.text == ""
        landing.ingest()
        assert stored(landing) == 4
        landing.check()

    @pytest.mark.parametrize("folder", ["2026-01-01", None])
    def test_another_file_of_a_known_number_and_name(self, landing: Landing, folder: str | None) -> None:
        """As where an older ledger went on before anybody reconciled: on another day, or of another size."""
        drop(landing, "a.csv", line())
        (known,) = landing.zone.archive.rglob("1-a.csv")
        if folder is None:
            known.write_bytes(csv_file(line(), line()))
            expected = 3
        else:
            (landing.zone.archive / folder).mkdir()
            (landing.zone.archive / folder / "1-a.csv").write_bytes(csv_file(line()))
            expected = 2
        assert reconcile(landing.database, landing.zone).requeued == ("a.csv",)
        landing.ingest()
        assert stored(landing) == expected

    def test_a_finished_file_replaces_no_other(self, landing: Landing) -> None:
        files = landing.drop(a__csv=csv_file(line()))
        outcomes = landing.load(files)
        (finished,) = outcomes
        target = landing.zone.archived_path(1, "a.csv", datetime.fromtimestamp(finished.finished_at, UTC))
        target.parent.mkdir(parents=True)
        target.write_bytes(b"another")
        with pytest.raises(StorageError, match="another file is there"):
            put_away(landing, outcomes)
        assert target.read_bytes() == b"another"
        assert Path(files[0].path).is_file()

    def test_numbers_go_on_above_what_is_on_disk(self, landing: Landing) -> None:
        folder = landing.zone.archive / "2026-01-01"
        folder.mkdir(parents=True)
        (folder / "500-a.csv").write_bytes(csv_file(line()))
        assert reconcile(landing.database, landing.zone).requeued == ("a.csv",)
        (outcome,) = landing.ingest()
        assert outcome.file_id > 500

    def test_a_name_that_waits_already_is_not_overwritten(self, landing: Landing) -> None:
        folder = landing.zone.archive / "2026-01-01"
        folder.mkdir(parents=True)
        (folder / "500-a.csv").write_bytes(csv_file(line()))
        (landing.zone.landing / "a.csv").write_bytes(csv_file(line()))
        reconcile(landing.database, landing.zone)
        landing.ingest()
        assert stored(landing) == 2

    def test_loaded_files_that_are_gone_are_named(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        next(landing.zone.archive.rglob("*a.csv")).unlink()
        assert reconcile(landing.database, landing.zone).missing == ("1-a.csv",)


def test_an_answer_about_a_line_of_a_long_file(landing: Landing) -> None:
    key = str(uuid.uuid4())
    drop(landing, "a.csv", *(line() for _ in range(50_000)), line(key))
    assert ask(landing, key).facts[0]["line"] == 50_002
    assert json.dumps(ask(landing, key).as_json())
