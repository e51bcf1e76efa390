"""Which reject a corrected row closes, by which columns a refused row is read, and each only once."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import Replayed, replay_as_they_are, replay_corrected
from ecom_platform.shop.event import HEADER
from ecom_platform.store import audit
from ecom_platform.store.connection import Database
from ecom_platform.store.rejects import ReplayVerdict, open_rejects, replay
from ecom_platform_tests.events import decode
from ecom_platform_tests.landing import USER_EVENTS_TABLE, Landing, csv_file, line
from ecom_platform_tests.waiting import wait_until

FIRST, SECOND, THIRD = (str(uuid.UUID(int=number << 64 | 0xABC)) for number in (0xA1, 0xB2, 0xC3))
# Of the same type and form, so that it makes a valid event with each other: nothing but the order tells.
SWAPPED = HEADER.replace("user_id,product_id", "product_id,user_id")


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def drop(landing: Landing, name: str, *lines: bytes, header: str = HEADER) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines).replace(HEADER.encode(), header.encode()))
    landing.ingest()


def bad(event_id: str) -> bytes:
    """A row that is refused for its price."""
    return line(event_id).replace(b"19.99", b"NaN")


def correct(landing: Landing, folder: Path, *rows: bytes, header: str = HEADER) -> Replayed:
    fixed = folder / "fixed.csv"
    fixed.write_bytes(b"\n".join([header.encode(), *rows]) + b"\n")
    return replay_corrected(landing.database, fixed)


def left(landing: Landing) -> list[tuple[str, int]]:
    with landing.database.open() as connection:
        return [(reject.file_name, reject.line_number) for reject in open_rejects(connection)]


def execute(landing: Landing, statement: str) -> None:
    with landing.database.transaction() as connection:
        connection.execute(statement)


class TestWhichReject:
    def test_not_one_in_which_the_id_stands_elsewhere(self, landing: Landing, tmp_path: Path) -> None:
        of_another = bad(SECOND).replace(b"PROD1000", FIRST.encode())
        drop(landing, "a.csv", of_another, bad(FIRST))
        assert correct(landing, tmp_path, line(FIRST)).verdicts == {ReplayVerdict.INSERTED: 1}
        assert left(landing) == [("a.csv", 2)]

    @pytest.mark.parametrize(
        "refused",
        [
            pytest.param(lambda key: bad(key.upper()), id="upper case"),
            pytest.param(lambda key: b'"%s"' % key.encode() + bad(key)[36:], id="quoted"),
            pytest.param(lambda key: b"{%s}" % key.encode() + line(key)[36:], id="in braces"),
            pytest.param(lambda key: line(key).rpartition(b",")[0], id="a field too few"),
            pytest.param(lambda key: line(key) + b",more", id="a field too many"),
            pytest.param(lambda key: line(key).replace(b"PROD1000", b'15" TV'), id="a stray quote"),
            pytest.param(lambda key: line(key).replace(b"DE", b"\xff"), id="not UTF-8"),
            pytest.param(lambda key: bad(key).replace(b"PROD1000", b'"a\nb, c"'), id="a note"),
        ],
    )
    def test_the_one_with_this_id_however_it_was_refused(
        self, landing: Landing, tmp_path: Path, refused: Callable[[str], bytes]
    ) -> None:
        drop(landing, "a.csv", bad(SECOND), refused(FIRST), bad(THIRD))
        assert correct(landing, tmp_path, line(FIRST)).verdicts == {ReplayVerdict.INSERTED: 1}
        assert left(landing) == [("a.csv", 2), ("a.csv", 4 + refused(FIRST).count(b"\n"))]

    @pytest.mark.parametrize("known", [True, False])
    def test_by_the_column_where_it_stands(self, landing: Landing, tmp_path: Path, known: bool) -> None:
        turned = HEADER.split(",")[::-1]
        drop(
            landing,
            "a.csv",
            *(b",".join(bad(key).split(b",")[::-1]) for key in (SECOND, FIRST)),
            header=",".join(turned),
        )
        if not known:
            execute(landing, "UPDATE ingested_files SET header = NULL")
        assert correct(landing, tmp_path, line(FIRST)).verdicts == {ReplayVerdict.INSERTED: 1}
        assert left(landing) == [("a.csv", 2)]

    def test_by_its_place_only_where_the_id_was_wrong(self, landing: Landing, tmp_path: Path) -> None:
        """A line that was counted wrongly closes no other row's."""
        drop(landing, "a.csv", bad(FIRST), line(SECOND), line(SECOND).replace(b"19.99", b"1"), line("wrong"))
        rows = [line(key) + b",a.csv,%d" % number for key, number in ((THIRD, 2), (FIRST, 4), (THIRD, 5))]
        done = correct(landing, tmp_path, *rows, header=f"{HEADER},file_name,line_number")
        assert done.unmatched == [f"row 1: {THIRD} (a.csv, line 2 has the id {FIRST})"]
        assert done.verdicts == {ReplayVerdict.INSERTED: 2}
        assert left(landing) == [("a.csv", 2)]

    def test_by_its_place_where_a_name_came_again(self, landing: Landing, tmp_path: Path) -> None:
        drop(landing, "a.csv", bad(FIRST))
        drop(landing, "a.csv", bad(SECOND))
        rows = [line(key) + b",a.csv,2" for key in (SECOND, FIRST)]
        done = correct(landing, tmp_path, *rows, header=f"{HEADER},file_name,line_number")
        assert (done.unmatched, done.verdicts) == ([], {ReplayVerdict.INSERTED: 2})
        with landing.database.open() as connection:
            stored = connection.execute("SELECT event_id::text, file_id FROM user_events ORDER BY 2")
            assert stored.fetchall() == [(FIRST, 1), (SECOND, 2)]

    def test_each_of_an_id_once_the_oldest_first(self, landing: Landing, tmp_path: Path) -> None:
        drop(landing, "a.csv", bad(FIRST), bad(FIRST))
        done = correct(landing, tmp_path, line(FIRST), line(FIRST), line(FIRST))
        assert done.verdicts == {ReplayVerdict.INSERTED: 1, ReplayVerdict.DUPLICATE: 1}
        assert done.unmatched == [f"row 3: {FIRST}"]
        assert left(landing) == []

    @pytest.mark.parametrize("by_place", [False, True])
    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(b"\n".join(map(line, (FIRST, SECOND))), id="lines"),
            pytest.param(b"\r".join(map(line, (FIRST, SECOND))), id="of an old Macintosh"),
            pytest.param(b",".join(map(line, (FIRST, SECOND))), id="with a comma between"),
            pytest.param(b"".join(map(line, (FIRST, SECOND))), id="without a line end"),
            pytest.param(
                b"\n".join(
                    [
                        line(FIRST).replace(b"PROD1000", b'"Hello'),
                        line(SECOND),
                        line(THIRD).replace(b"PROD1000", b'Bye"'),
                    ]
                ),
                id="as one field",
            ),
            pytest.param((line(FIRST) + b"\n" + b"x" * 9_000)[:8_192], id="cut"),
        ],
    )
    def test_several_rows_are_never_closed_by_one(
        self, landing: Landing, tmp_path: Path, raw: bytes, by_place: bool
    ) -> None:
        """As rows between two quotes were refused before they were told apart."""
        drop(landing, "a.csv", b"bad")
        with landing.database.transaction() as connection:
            connection.execute("UPDATE rejected_events SET raw = %s", (raw,))
        header, row = (f"{HEADER},file_name,line_number", line(FIRST) + b",a.csv,2")
        done = (
            correct(landing, tmp_path, row, header=header)
            if by_place
            else correct(landing, tmp_path, line(FIRST))
        )
        assert done.verdicts == {}
        assert ("holds several rows" in done.unmatched[0]) is by_place
        assert replay_as_they_are(landing.database, landing.zone).loaded == 0
        assert left(landing) == [("a.csv", 2)]


class TestTheOrderOfColumns:
    @pytest.fixture
    def refused(self, landing: Landing) -> Landing:
        """A row with user and product in the other order, refused, now right; each passes for the other."""
        row = bad(FIRST).replace(b"7,PROD1000", b"4711,7")
        drop(landing, "a.csv", row, header=SWAPPED)
        execute(
            landing, "UPDATE rejected_events SET raw = replace(encode(raw, 'escape'), 'NaN', '1.50')::bytea"
        )
        return landing

    def stored(self, landing: Landing) -> list[tuple[int, str]]:
        with landing.database.open() as connection:
            return connection.execute("SELECT user_id, product_id FROM user_events").fetchall()  # type: ignore[return-value]

    def test_is_kept_with_the_file(self, refused: Landing) -> None:
        next(refused.zone.archive.rglob("*a.csv")).unlink()
        assert replay_as_they_are(refused.database, refused.zone).verdicts == {ReplayVerdict.INSERTED: 1}
        assert self.stored(refused) == [(7, "4711")]

    def test_is_read_from_a_file_that_was_loaded_before_it_was_kept(self, refused: Landing) -> None:
        execute(refused, "UPDATE ingested_files SET header = NULL")
        assert replay_as_they_are(refused.database, refused.zone).verdicts == {ReplayVerdict.INSERTED: 1}
        assert self.stored(refused) == [(7, "4711")]

    def test_is_not_guessed(self, refused: Landing) -> None:
        execute(refused, "UPDATE ingested_files SET header = NULL")
        next(refused.zone.archive.rglob("*a.csv")).unlink()
        done = replay_as_they_are(refused.database, refused.zone)
        assert (done.verdicts, done.loaded) == ({ReplayVerdict.ORDER_UNKNOWN: 1}, 0)
        assert "order of the columns" in ReplayVerdict.ORDER_UNKNOWN
        assert (self.stored(refused), left(refused)) == ([], [("a.csv", 2)])

    def test_below_blank_lines(self, landing: Landing) -> None:
        (landing.zone.landing / "a.csv").write_bytes(b"\n \n" + csv_file(bad(FIRST)))
        landing.ingest()
        execute(landing, "UPDATE ingested_files SET header = NULL")
        execute(
            landing, "UPDATE rejected_events SET raw = replace(encode(raw, 'escape'), 'NaN', '1.50')::bytea"
        )
        assert replay_as_they_are(landing.database, landing.zone).verdicts == {ReplayVerdict.INSERTED: 1}


def test_two_replays_of_a_reject_at_once_count_it_once(landing: Landing) -> None:
    """The second waits for the first, and finds the reject replayed."""
    drop(landing, "a.csv", bad(FIRST), line())
    with landing.database.open() as connection:
        (reject,) = open_rejects(connection)
    (chunk,) = decode(io.BytesIO(csv_file(line(FIRST))), datetime.now(UTC))
    verdicts: list[ReplayVerdict] = []

    def second() -> None:
        with landing.database.transaction() as connection:
            verdicts.append(replay(connection, USER_EVENTS_TABLE, reject.reject_id, chunk.rows))

    thread = threading.Thread(target=second)
    with landing.database.transaction() as connection:
        assert replay(connection, USER_EVENTS_TABLE, reject.reject_id, chunk.rows) is ReplayVerdict.INSERTED
        thread.start()
        with landing.database.open(autocommit=True) as watcher:
            wait_until(lambda: bool(watcher.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall()))
    thread.join()
    assert verdicts == [ReplayVerdict.GONE]
    with landing.database.open() as connection:
        assert audit.counts_reconcile(connection).passed
        assert connection.execute(
            "SELECT rows_inserted, rows_duplicate, rows_rejected FROM ingested_files"
        ).fetchall() == [(2, 0, 0)]
