"""The outbox and its deliveries: real PostgreSQL, real HTTP and SMTP servers, good ones and bad ones."""

from __future__ import annotations

import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ecom_platform.alerts import delivery, outbox
from ecom_platform.alerts.outbox import raise_problem, resolve_problem
from ecom_platform.alerts.shifts import Shifts
from ecom_platform.alerts.targets import targets
from ecom_platform.errors import DatabaseError
from ecom_platform.store.alerts import make_tables, provide_outbox
from ecom_platform.store.connection import Database
from ecom_platform_tests.alerting import PASSWORD, problem, rows
from ecom_platform_tests.receivers import mailbox, talker, webhook
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

# Nobody listens on port 1.
DOWN = "json://127.0.0.1:1/down"


def overdue(database: Database) -> None:
    """What waits for its next attempt need not wait."""
    with database.transaction() as connection:
        connection.execute("UPDATE alert_deliveries SET due_at = clock_timestamp() WHERE state = 'pending'")


@pytest.fixture
def no_second_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused is due again in an hour: also a test that takes long sees one attempt."""
    monkeypatch.setattr(outbox, "FIRST_RETRY_SECONDS", 3_600.0)
    monkeypatch.setattr(outbox, "LONGEST_RETRY_SECONDS", 3_600.0)


def deliver(
    database: Database, *urls: str, patience: float = 240, dispatcher: Shifts | None = None
) -> list[str]:
    return (dispatcher or Shifts()).dispatch(database, targets(urls), patience)


# -- the outbox ----------------------------------------------------------------------------------


class TestOutbox:
    def test_once_a_problem_and_once_its_end(self, database: Database) -> None:
        with webhook() as hook:
            assert raise_problem(database, problem())
            assert not raise_problem(database, problem())
            deliver(database, hook.url)
            deliver(database, hook.url)
            assert resolve_problem(database, "check/a/b", "The check passed.")
            assert not resolve_problem(database, "check/a/b")
            deliver(database, hook.url)
            titles = [message["title"] for message in hook.received]
        assert titles == ["[ERROR] check/a/b failed", "[RECOVERED] check/a/b failed"]
        body = hook.received[0]["message"]
        for part in (
            "user_events",
            "some_check",
            "30,000 rows",
            "29,960 rows",
            "run-1",
            "http://ui/runs/run-1",
        ):
            assert part in body

    def test_a_problem_that_comes_back_is_told_again(self, database: Database) -> None:
        with webhook() as hook:
            for _ in range(2):
                raise_problem(database, problem())
                deliver(database, hook.url)
                resolve_problem(database, "check/a/b")
                deliver(database, hook.url)
            assert len(hook.received) == 4

    def test_raised_in_a_transaction_that_fails_is_not_raised(self, database: Database) -> None:
        with pytest.raises(RuntimeError), database.transaction() as connection:
            raise_problem(connection, problem())
            raise RuntimeError
        assert rows(database, "SELECT * FROM alerts") == []

    def test_without_targets_the_log_and_the_table_have_it(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        raise_problem(database, problem())
        with caplog.at_level(logging.WARNING):
            deliver(database)
            resolve_problem(database, "check/a/b", "The check passed.")
            deliver(database)
        assert [record.getMessage() for record in caplog.records] == [
            "ALERT [ERROR] check/a/b failed: expected 30,000 rows; found 29,960 rows (http://ui/runs/run-1)",
            "ALERT [RECOVERED] check/a/b failed: The check passed. (http://ui/runs/run-1)",
        ]
        assert rows(database, "SELECT found, resolved_at IS NOT NULL FROM alerts") == [("29,960 rows", True)]
        with webhook() as hook:  # set later: what is old is not news
            deliver(database, hook.url)
            assert hook.received == []

    def test_two_projects_share_a_database(self, database: Database) -> None:
        with webhook() as ours, webhook() as theirs:
            raise_problem(database, problem(), source="theirs")
            raise_problem(database, problem())
            deliver(database, ours.url)
            assert (len(ours.received), len(theirs.received)) == (1, 0)
            deliver(database, theirs.url, dispatcher=Shifts("theirs"))
            assert (len(ours.received), len(theirs.received)) == (1, 1)

    def test_the_tables_alone(self, database: Database) -> None:
        with database.open(autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        make_tables(database)
        make_tables(database)
        found = rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        assert found == [("alert_deliveries",), ("alerts",)]
        assert raise_problem(database, problem())

    def test_whatever_was_found_can_be_stored(self, database: Database) -> None:
        assert raise_problem(
            database, problem(found="a\0b \ud800 " + "x" * 10_000, details={"raw": "\0", "n": [1, "\0"]})
        )
        ((found, details),) = rows(database, "SELECT found, details FROM alerts")
        assert found.startswith("a\ufffdb ? xxx")
        assert details == {"raw": "\ufffd", "n": [1, "\ufffd"]}

    def test_an_embedded_server_for_the_tables_alone(self, tmp_path: Path) -> None:
        with provide_outbox(None, tmp_path / "home" / "postgres") as alone:
            assert raise_problem(alone, problem())
            assert rows(alone, "SELECT to_regclass('ingested_files')") == [(None,)]

    def test_a_table_of_somebody_elses_is_refused(self, database: Database) -> None:
        with database.open(autocommit=True) as connection:
            connection.execute("DROP TABLE alert_deliveries, alerts")
            connection.execute("CREATE TABLE alerts (theirs int)")
        with pytest.raises(DatabaseError, match="somebody else"):
            make_tables(database)


# -- targets that misbehave ----------------------------------------------------------------------


class TestTargets:
    def test_a_web_server_and_a_mail_server(self, database: Database) -> None:
        with webhook() as hook, mailbox() as mails:
            raise_problem(database, problem())
            deliver(database, hook.url, mails.url)
            assert len(hook.received) == len(mails.received) == 1
        mail = mails.received[0]
        assert mail["title"] == "[ERROR] check/a/b failed"
        assert "found: 29,960 rows\n" in mail["message"].replace("\r\n", "\n")

    def test_500_twice_and_then_200(self, database: Database) -> None:
        with webhook(answer=lambda number: 500 if number <= 2 else 200) as hook:
            raise_problem(database, problem())
            for _ in range(3):
                deliver(database, hook.url)
                overdue(database)
            assert (hook.refused, len(hook.received)) == (2, 1)
            deliver(database, hook.url)
            assert len(hook.received) == 1
        assert rows(database, "SELECT state, attempts, last_error FROM alert_deliveries") == [
            ("delivered", 3, None)
        ]

    @pytest.mark.usefixtures("no_second_attempt")
    def test_a_target_that_refuses_is_left_alone_for_a_while(self, database: Database) -> None:
        with webhook(answer=lambda number: 500) as hook:
            raise_problem(database, problem())
            deliver(database, hook.url)
            deliver(database, hook.url)
            assert hook.refused == 1
        ((state, error, wait),) = rows(
            database, "SELECT state, last_error, due_at - clock_timestamp() FROM alert_deliveries"
        )
        assert (state, error) == ("pending", "it answered with HTTP status 500")
        assert timedelta(0) < wait <= timedelta(seconds=outbox.FIRST_RETRY_SECONDS)

    def test_waits_grow_up_to_five_minutes(self) -> None:
        delays = [outbox.retry_delay(attempts) for attempts in range(1, 10)]
        assert delays == [5, 10, 20, 40, 80, 160, 300, 300, 300]

    def test_one_that_is_down_costs_one_attempt_and_loses_nothing(self, database: Database) -> None:
        with webhook() as hook:
            for number in range(45):
                raise_problem(database, problem(f"check/a/{number}"))
            deliver(database, DOWN, hook.url)
            assert sum(text.count("check: some_check") for text in hook.texts) == 45
        found = rows(
            database,
            "SELECT target, state, count(*), max(attempts) FROM alert_deliveries GROUP BY 1, 2 ORDER BY 1, 4",
        )
        assert (targets([hook.url])[0].name, "delivered", 45, 1) in found
        assert sum(count for target, state, count, _ in found if state == "pending") == 45
        assert sum(attempts for target, state, _, attempts in found if state == "pending") == 1

    def test_a_slow_one_delays_neither_the_others_nor_the_tick(self, database: Database) -> None:
        dispatcher = Shifts()
        gate = threading.Event()
        with webhook(gate=gate) as slow, webhook() as quick:
            raise_problem(database, problem())
            name = targets([slow.url])[0].name

            def waiting() -> list[str]:
                return deliver(database, slow.url, quick.url, patience=0.5, dispatcher=dispatcher)

            assert name in waiting()
            quick.wait_for(lambda receiver: len(receiver.received) == 1)
            raise_problem(database, problem("another"))
            # More than once: the quick one's thread may be about to end when this one comes.
            wait_until(lambda: name in waiting() and len(quick.received) == 2)
            assert slow.received == []
            gate.set()
            slow.wait_for(lambda receiver: bool(receiver.received))  # in the background
            deliver(database, slow.url, dispatcher=dispatcher)
            deliver(database, slow.url, dispatcher=dispatcher)
            assert sum(text.count("check: some_check") for text in slow.texts) == 2

    def test_a_mail_server_that_says_no_twice_and_then_takes_it(self, database: Database) -> None:
        with mailbox(answer=lambda number: "450 busy" if number <= 2 else "250 OK") as mails:
            raise_problem(database, problem())
            for _ in range(3):
                deliver(database, mails.url)
                overdue(database)
            assert (mails.refused, len(mails.received)) == (2, 1)
        assert rows(database, "SELECT state, attempts FROM alert_deliveries") == [("delivered", 3)]

    def test_a_slow_mail_server_delays_nobody(self, database: Database) -> None:
        dispatcher = Shifts()
        gate = threading.Event()
        with mailbox(gate=gate) as slow, webhook() as quick:
            raise_problem(database, problem())
            waiting = deliver(database, slow.url, quick.url, patience=0.5, dispatcher=dispatcher)
            assert targets([slow.url])[0].name in waiting
            quick.wait_for(lambda receiver: len(receiver.received) == 1)
            assert slow.received == []
            gate.set()
            deliver(database, slow.url, dispatcher=dispatcher)
            assert len(slow.received) == 1

    def test_a_mail_server_that_is_down_and_comes_back(self, database: Database) -> None:
        with mailbox() as gone:
            port = urlsplit(gone.url).port or 0
        raise_problem(database, problem())
        deliver(database, gone.url)
        assert rows(database, "SELECT state, attempts FROM alert_deliveries") == [("pending", 1)]
        with mailbox(port=port) as mails:
            overdue(database)
            deliver(database, mails.url)
            assert len(mails.received) == 1

    @pytest.mark.parametrize("status", [400, 500])
    def test_a_notice_that_is_refused_holds_back_no_other(self, database: Database, status: int) -> None:
        """Whether the target says that it is the message (400), or nothing is to be learnt from it (500)."""
        with webhook(poison=("number_13 ", status)) as hook:
            for number in range(40):
                raise_problem(database, problem(f"number_{number}"))
            for attempt in range(4):
                deliver(database, hook.url)
                overdue(database)
                if attempt == 1:
                    raise_problem(database, problem("late"))
            delivered = rows(database, "SELECT count(*) FROM alert_deliveries WHERE state = 'delivered'")
            assert delivered == [(40,)]
            requests = hook.refused + len(hook.received)
            assert requests < 40, "found by halves, not one by one"
        assert rows(
            database,
            "SELECT key FROM alert_deliveries JOIN alerts USING (alert_id) WHERE state = 'pending'",
        ) == [("number_13",)]

    def test_a_target_that_wants_none_is_not_asked_for_each(self, database: Database) -> None:
        with webhook(answer=lambda number: 403) as hook:
            for number in range(60):
                raise_problem(database, problem(f"number_{number}"))
            deliver(database, hook.url)
            assert hook.refused < 20
        assert rows(database, "SELECT count(*) FROM alert_deliveries WHERE attempts = 0") == [(55,)]

    def test_after_a_long_time_away_there_is_no_storm(self, database: Database) -> None:
        for number in range(60):
            raise_problem(database, problem(f"number_{number}"))
        for _ in range(8):
            deliver(database, DOWN)
            overdue(database)
        with webhook() as hook:
            with database.transaction() as connection:
                connection.execute("UPDATE alert_deliveries SET target = %s", (targets([hook.url])[0].name,))
            deliver(database, hook.url)
            assert len(hook.received) < 10
        assert rows(database, "SELECT state, count(*) FROM alert_deliveries GROUP BY 1") == [
            ("delivered", 60)
        ]

    def test_one_whose_answer_never_ends_is_given_up_for_now_and_asked_again(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not held on to for ever: what is raised later is sent as well."""
        monkeypatch.setattr(delivery, "DEADLINE_SECONDS", 0.5)
        dispatcher = Shifts()
        with talker(b"", b"x", pause=0.02) as endless:
            url = f"json://127.0.0.1:{endless.port}/x?cto=60&rto=60"
            for number in range(3):
                raise_problem(database, problem(f"number_{number}"))
                assert deliver(database, url, dispatcher=dispatcher) == []
                overdue(database)
                dispatcher._resume.clear()
            wait_until(lambda: endless.listeners == 0)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("alerts-")]
        found = rows(database, "SELECT state, last_error FROM alert_deliveries WHERE last_error IS NOT NULL")
        assert set(found) == {("pending", "its answer did not end within 0.5 s")}
        with webhook() as hook, database.transaction() as connection:
            connection.execute("UPDATE alert_deliveries SET target = %s", (targets([hook.url])[0].name,))
            connection.commit()
            monkeypatch.setattr(delivery, "DEADLINE_SECONDS", 240.0)
            deliver(database, hook.url)
            assert sum(text.count("check: some_check") for text in hook.texts) == 3

    def test_a_redirect_is_not_followed(self, database: Database) -> None:
        with webhook(answer=lambda number: 302) as hook:
            raise_problem(database, problem())
            deliver(database, hook.url)
            assert hook.received == []
        assert rows(database, "SELECT state FROM alert_deliveries") == [("pending",)]

    @pytest.mark.usefixtures("no_second_attempt")
    def test_a_recovery_waits_for_the_notice_of_its_problem(self, database: Database) -> None:
        with webhook(answer=lambda number: 500 if number == 1 else 200) as hook:
            raise_problem(database, problem())
            deliver(database, hook.url)
            resolve_problem(database, "check/a/b")
            deliver(database, hook.url)
            assert hook.received == []
            overdue(database)
            deliver(database, hook.url)
            assert [text.split("]")[0] for text in hook.texts] == ["[ERROR", "[RECOVERED"]

    def test_given_up_after_a_week(self, database: Database) -> None:
        raise_problem(database, problem())
        with database.open() as connection:
            outbox.announce(connection, [targets([DOWN])[0].name])
            connection.execute("UPDATE alert_deliveries SET created_at = now() - interval '8 days'")
            connection.commit()
        deliver(database, DOWN)
        assert rows(database, "SELECT state FROM alert_deliveries") == [("given_up",)]


def test_a_thousand_problems_none_lost(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """To a web server, a mail server, one that is down and one that comes back, while they are raised."""
    dispatcher = Shifts()
    number = 1_000
    with (
        webhook() as hook,
        mailbox() as mails,
        webhook(answer=lambda number: 500 if number <= 2 else 200) as back,
    ):
        urls = (DOWN, hook.url, mails.url, back.url)
        for first in range(0, number, 100):
            for index in range(first, first + 100):
                assert raise_problem(database, problem(f"check/a/number_{index:04}"))
            deliver(database, *urls, patience=1, dispatcher=dispatcher)
        deadline = time.monotonic() + 240
        while (left := _on_their_way(database, targets(urls)[1:])) and time.monotonic() < deadline:
            deliver(database, *urls, patience=1, dispatcher=dispatcher)
        assert left == 0
        for receiver in (hook, mails, back):
            text = "\n".join(receiver.texts)
            assert [text.count(f"number_{index:04} failed") > 0 for index in range(number)] == [True] * number
        down = rows(
            database,
            "SELECT count(*) FROM alert_deliveries WHERE state = 'pending' AND target = %s",
            targets([DOWN])[0].name,
        )
        assert down == [(number,)]
    seconds = [
        float(value)
        for (value,) in rows(
            database,
            "SELECT extract(epoch FROM d.delivered_at - a.raised_at) FROM alert_deliveries AS d"
            " JOIN alerts AS a USING (alert_id) WHERE d.state = 'delivered' AND d.target <> %s",
            targets([back.url])[0].name,
        )
    ]
    assert len(seconds) == 2 * number
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[94]
    with capsys.disabled():
        print(
            f"\n{number} problems, 4 targets, one down and one for a while: {len(seconds)} deliveries in"
            f" {len(hook.received)} requests and {len(mails.received)} mails, 0 lost;"
            f" raised to delivered p50 {p50:.2f} s, p95 {p95:.2f} s, slowest {max(seconds):.2f} s"
        )


def _on_their_way(database: Database, wanted: list[Any]) -> int:
    with database.open() as connection:
        return outbox.on_their_way(connection, [target.name for target in wanted])


def test_killed_in_the_middle_of_sending(database: Database) -> None:
    """The process dies between the target's answer and writing it down; the next one sends again."""
    program = (
        "import sys, time\n"
        "from ecom_platform.alerts.shifts import Shifts\n"
        "from ecom_platform.alerts.targets import targets\n"
        "from ecom_platform.store.connection import Database\n"
        "Shifts().dispatch(Database(sys.argv[1]), targets(sys.argv[2:]), 60)\n"
    )
    for index in range(200):  # several messages
        raise_problem(database, problem(f"check/a/number_{index}", found="x" * 500))
    # The second message is taken, and answered when nobody is there any more to write it down.
    gate = threading.Event()
    with webhook(answer=lambda number: 200 if number == 1 or gate.wait() else 500) as hook:
        process = subprocess.Popen([sys.executable, "-c", program, database.url, hook.url])
        hook.wait_for(lambda receiver: bool(receiver.received) or process.poll() is not None)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        gate.set()
        ((left,),) = rows(database, "SELECT count(*) FROM alert_deliveries WHERE state = 'pending'")
        assert left > 0
        overdue(database)  # the lease of the dead process has ended
        deliver(database, hook.url)
        text = "\n".join(hook.texts)
        assert all(f"number_{index} failed" in text for index in range(200))
    assert rows(database, "SELECT state, count(*) FROM alert_deliveries GROUP BY 1") == [("delivered", 200)]


# -- the command line ----------------------------------------------------------------------------


class TestCommand:
    def ecom(self, tmp_path: Path, urls: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        return subprocess.run(
            [sys.executable, "-m", "ecom_platform", "alerts", "test", *arguments],
            env={**environment, "ECOM_HOME": str(tmp_path), "ECOM_ALERT_URLS": urls},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def test_every_target_took_it(self, tmp_path: Path) -> None:
        with webhook() as hook, mailbox() as mails:
            done = self.ecom(tmp_path, f"{hook.url} {mails.url}")
            assert done.returncode == 0, done.stderr
            assert {row.split("  ")[0] for row in done.stdout.splitlines()} == {
                target.name for target in targets([hook.url, mails.url])
            }
            assert len(hook.received) == len(mails.received) == 1

    def test_one_did_not(self, tmp_path: Path) -> None:
        with webhook() as hook:
            done = self.ecom(tmp_path, f"{hook.url},json://bob:{PASSWORD}@127.0.0.1:1/x", "--json")
        answer = json.loads(done.stdout)
        assert done.returncode == 3
        assert not answer["success"]
        assert [target["delivered"] for target in answer["targets"]] == [True, False]
        assert answer["error"]["code"] == "prerequisite"
        assert PASSWORD not in done.stdout + done.stderr

    def test_none_is_set(self, tmp_path: Path) -> None:
        done = self.ecom(tmp_path, "", "--json")
        assert done.returncode == 3
        assert "ECOM_ALERT_URLS is not set" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("part", ["title", "expected", "found", "remedy", "details"])
def test_a_secret_is_masked_before_it_is_stored(database: Database, part: str) -> None:
    """In every part of a problem, whether it is known as one or looks like one."""
    text = f"xoxb-1234567890 of postgresql://bob:{PASSWORD}@db/shop"
    value = {"said": [text], "api_token": "hunter22"} if part == "details" else text
    assert raise_problem(database, problem(**{part: value}), secrets=["xoxb-1234567890"])
    ((stored,),) = rows(database, "SELECT to_jsonb(a)::text FROM alerts AS a")
    assert "*** of postgresql://bob:***@db/shop" in stored
    for secret in ("xoxb-1234567890", PASSWORD, "hunter22"):
        assert secret not in stored
