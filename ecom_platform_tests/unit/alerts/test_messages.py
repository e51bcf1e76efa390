"""The words of an alert: everything that must be in one, and how many problems share it."""

from datetime import UTC, datetime

import pytest

from ecom_platform.alerts.messages import MOST_PROBLEMS, Notice, compose
from ecom_platform.alerts.problem import Kind, Problem

NOON = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)


def notice(number: int, resolution: str | None = None, expected: str = "30,000 rows") -> Notice:
    problem = Problem(
        key=f"check/user_events/check_{number}",
        kind=Kind.CHECK_FAILED,
        title=f"user_events: check check_{number} failed",
        asset="user_events",
        check=f"check_{number}",
        expected=expected,
        found="29,960 rows",
        run_id="run-1",
        link="http://ui/runs/run-1",
        details={"files": [f"file_{n}.csv" for n in range(30)]},
    )
    return Notice(number, 1, problem, NOON, NOON if resolution else None, resolution)


def test_one_problem_says_everything() -> None:
    (message,) = compose([notice(7)], 10_000)
    assert message.title == "[ERROR] user_events: check check_7 failed"
    assert message.body.splitlines() == [
        "asset: user_events",
        "check: check_7",
        "expected: 30,000 rows",
        "found: 29,960 rows",
        f"files: {', '.join(f'file_{number}.csv' for number in range(20))}, and 10 more",
        "since: 2026-01-02 12:00:05 UTC",
        "run: run-1",
        "link: http://ui/runs/run-1",
    ]
    assert message.delivery_ids == (7,)


def test_what_a_stranger_wrote_calls_nobody_and_stays_as_it_is_written() -> None:
    """A file's name is chosen by whoever may drop files."""
    name = "@everyone <!channel> <@U12> x@here.csv [pay](now) \u202egpj.exe \u200b\x1b[31m café\u200d.csv"
    problem = Problem("k", Kind.REJECTS, f"of {name}", "none", name, details={name: [name], "f": name})
    (message,) = compose([Notice(1, 1, problem, NOON)], 10_000)
    text = f"{message.title}\n{message.body}"
    for call in ("@everyone", "@here", "<!channel", "<@U12", "](now", "\u202e", "\u200b", "\x1b"):
        assert call not in text
    assert text.count("\\u202egpj.exe \\u200b\\x1b[31m café\u200d.csv") == 5
    assert "@everyone <!channel>" in text.replace("\u2060", "")


def test_no_more_is_said_of_many_problems_than_a_message_holds() -> None:
    (few,) = compose([notice(1), notice(2)], 10_000)
    assert "file_3.csv" in few.body
    (short,) = compose([notice(1), notice(2)], 700)
    assert "file_3.csv" not in short.body


def test_a_recovery_says_why_and_since_when() -> None:
    (message,) = compose([notice(7, "The check passed.")], 10_000)
    assert message.title == "[RECOVERED] user_events: check check_7 failed"
    assert message.recovered
    assert "over: The check passed." in message.body
    assert "until: 2026-01-02 12:00:05 UTC" in message.body


def test_many_problems_share_a_message_and_each_is_named() -> None:
    notices = [notice(number) for number in range(MOST_PROBLEMS * 2 + 1)]
    messages = list(compose(notices, 1_000_000))
    assert [len(message.delivery_ids) for message in messages] == [MOST_PROBLEMS, MOST_PROBLEMS, 1]
    assert messages[0].title == f"[ERROR] user_events: check check_0 failed, and {MOST_PROBLEMS - 1} more"
    for number in range(MOST_PROBLEMS):
        assert f"check: check_{number}\nexpected: 30,000 rows\nfound: 29,960 rows" in messages[0].body


def test_problems_and_recoveries_do_not_share_a_message() -> None:
    messages = list(compose([notice(1), notice(2), notice(3, "over")], 100_000))
    assert [(m.recovered, m.delivery_ids) for m in messages] == [(False, (1, 2)), (True, (3,))]


@pytest.mark.parametrize("limit", [1, 300, 700, 2_000])
def test_no_message_is_longer_than_its_target_takes(limit: int) -> None:
    messages = list(compose([notice(number) for number in range(25)], limit))
    assert sorted(key for message in messages for key in message.delivery_ids) == list(range(25))
    assert all(len(m.body) <= limit or len(m.delivery_ids) == 1 for m in messages)


def test_an_endless_value_is_cut() -> None:
    (message,) = compose([notice(1, expected="x" * 10_000)], 100_000)
    assert len(message.body) < 1_500
