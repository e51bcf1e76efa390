"""Which signs change anything: once a problem, whatever the order and however often they are read."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.alerts.problem import Kind, Known, Problem, Raised, Resolved, Sign, changes

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def bad(second: int, key: str = "k") -> Raised:
    return Raised(Problem(key, Kind.CHECK_FAILED, "title", "expected", "found"), at(second))


def good(second: int, key: str = "k") -> Resolved:
    return Resolved(key, "passed", at(second))


def told(signs: list[Sign]) -> list[tuple[bool, int]]:
    return [(isinstance(sign, Raised), int((sign.at - START).total_seconds())) for sign in signs]


def test_a_problem_and_its_end() -> None:
    assert told(changes([bad(1), good(2)], {})) == [(True, 1), (False, 2)]


def test_a_pass_without_a_problem_is_no_news() -> None:
    assert changes([good(1), good(2)], {}) == []
    assert changes([good(3)], {"k": Known(at(2), False)}) == []


def test_what_was_read_before_changes_nothing() -> None:
    assert changes([bad(1), good(2)], {"k": Known(at(2), False)}) == []
    assert changes([bad(1)], {"k": Known(at(1), True)}) == []


def test_a_late_failure_behind_the_pass_that_ended_it_is_told_and_over() -> None:
    """Event 1 was committed after event 2 was read: nothing was known, and both are read again."""
    assert changes([good(2)], {}) == []
    assert told(changes([bad(1), good(2)], {})) == [(True, 1), (False, 2)]


def test_a_late_pass_does_not_end_a_newer_problem() -> None:
    assert changes([good(1)], {"k": Known(at(2), True)}) == []


def test_keys_do_not_touch_each_other() -> None:
    assert told(changes([bad(1, "a"), good(2, "b"), bad(3, "b")], {})) == [(True, 1), (True, 3)]


HISTORIES = st.lists(st.booleans(), min_size=1, max_size=6)


@given(HISTORIES, st.data())
def test_any_order_of_reading_ends_where_the_log_ends(history: list[bool], data: st.DataObject) -> None:
    """Signs arrive in batches, late ones too; each batch is read with everything before it, as the
    overlap does. The state at the end is the last sign's, and no problem is told while it is open."""
    signs: list[Sign] = [good(n) if passed else bad(n) for n, passed in enumerate(history, 1)]
    arrival = data.draw(st.permutations(signs))
    known: dict[str, Known] = {}
    seen: list[Sign] = []
    announced: list[bool] = []
    for sign in arrival:
        seen.append(sign)
        for change in changes(seen, known):
            raised = isinstance(change, Raised)
            if raised != (known["k"].open if "k" in known else False):
                announced.append(raised)
            known["k"] = Known(change.at, raised)
    assert all(before != after for before, after in itertools.pairwise(announced))
    assert (known["k"].open if known else False) is (not history[-1])
