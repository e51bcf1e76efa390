"""The decision about files that wait: every branch, and what holds for any state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.landing.arrivals import (
    Attempts,
    GiveUp,
    Launch,
    Patience,
    Skip,
    State,
    Waiting,
    decide,
    fingerprint,
    waiting,
)
from ecom_platform.landing.landed import LandedFile
from ecom_platform.store.ledger import Leftover

NOW = 1_800_000_000.0
PATIENCE = Patience()


def file(name: str = "a.csv", size: int = 10, second: int = 0) -> Waiting:
    return Waiting(name, size, datetime(2026, 1, 31, 12, 0, second, 123456, tzinfo=UTC))


WORK = State(NOW, frozenset({file("b.csv"), file("a.csv")}))


def failed(times: int, ago: float = 0.0, others: int = 0) -> State:
    return replace(WORK, attempts=Attempts(times, max(times, others), NOW - ago))


class TestLaunch:
    def test_everything_that_waits_in_one_run(self) -> None:
        decision = decide(WORK)
        assert decision == Launch(
            ("a.csv", "b.csv"), fingerprint(WORK.waiting), "2 files (a.csv, b.csv) to load."
        )

    def test_files_that_are_being_written_do_not_hold_up_the_others(self) -> None:
        assert isinstance(decide(replace(WORK, growing=("c.csv",))), Launch)

    def test_ten_thousand_files_have_a_short_reason(self) -> None:
        many = frozenset(file(f"{number:05}.csv") for number in range(10_000))
        decision = decide(State(NOW, many))
        assert isinstance(decision, Launch)
        assert len(decision.files) == 10_000
        assert decision.reason == "10,000 files (00000.csv, 00001.csv, 00002.csv and 9,997 more) to load."


class TestSkip:
    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            (State(NOW), "Nothing has landed."),
            (State(NOW, growing=("c.csv",)), "Nothing to load; 1 file (c.csv) still being written."),
            (State(NOW, refused={"x": "a folder"}), "Nothing to load; 1 never taken: x (a folder)."),
            (replace(WORK, under_way=("run 1 of main, queued",)), "run 1 of main, queued"),
            (replace(WORK, lock_holder="ecom_platform (backend 7)"), "backend 7"),
            (replace(WORK, lock_holder="ecom_platform live (backend 7)", live=True), "live mode"),
        ],
    )
    def test_it_says_what_it_saw(self, state: State, reason: str) -> None:
        decision = decide(state)
        assert isinstance(decision, Skip)
        assert reason in decision.reason


class TestRetry:
    @pytest.mark.parametrize(("failures", "delay"), [(1, 10), (2, 30), (3, 90), (4, 270), (5, 810)])
    def test_the_delay_grows(self, failures: int, delay: float) -> None:
        assert isinstance(decide(failed(failures, ago=delay - 1)), Skip)
        assert isinstance(decide(failed(failures, ago=delay)), Launch)

    def test_it_says_when(self) -> None:
        decision = decide(failed(2, ago=5))
        assert isinstance(decision, Skip)
        assert decision.reason == (
            "2 files (a.csv, b.csv) to load; 2 runs for them did not succeed, the next try is in 25 s."
        )

    @pytest.mark.parametrize("ended_at", [None, NOW + 3600])
    def test_an_unknown_end_or_a_clock_that_was_set_back_delays_nothing(self, ended_at: float | None) -> None:
        assert isinstance(decide(replace(WORK, attempts=Attempts(1, 1, ended_at))), Launch)

    @pytest.mark.parametrize("failures", [6, 7, 20])
    def test_given_up(self, failures: int) -> None:
        decision = decide(failed(failures, ago=10**6))
        assert isinstance(decision, GiveUp)
        assert decision.files == ("a.csv", "b.csv")
        assert f"in {failures} runs" in decision.reason

    def test_the_set_changes(self) -> None:
        """What failed were other files: these are tried soon, but not in a storm."""
        changed = replace(failed(0, others=20), waiting=WORK.waiting | {file("new.csv")})
        assert isinstance(decide(changed), Skip)
        later = replace(changed, now=NOW + PATIENCE.other_set_seconds)
        assert isinstance(decide(later), Launch)


class TestFingerprint:
    @given(st.permutations([file("a.csv"), file("b.csv"), file("c.csv")]))
    def test_the_order_does_not_matter(self, files: list[Waiting]) -> None:
        assert fingerprint(files) == fingerprint(sorted(files))

    @pytest.mark.parametrize(
        "other", [[], [file("b.csv")], [file(size=11)], [file(second=1)], [file(), file("b.csv")]]
    )
    def test_any_change_matters(self, other: list[Waiting]) -> None:
        assert fingerprint(other) != fingerprint([file()])

    @given(st.integers(0, 2 * 10**18))
    def test_a_claim_does_not_matter(self, ctime_ns: int) -> None:
        landed = LandedFile("a.csv", 10, 1, ctime_ns)
        leftover = Leftover("a.csv", 10, landed.landed_at)
        assert waiting([landed], []) == waiting([], [leftover]) == waiting([landed], [leftover])


STATES = st.builds(
    State,
    now=st.just(NOW),
    waiting=st.frozensets(st.sampled_from([file("a.csv"), file("b.csv"), file("c.csv")])),
    growing=st.sampled_from([(), ("x.csv",)]),
    under_way=st.sampled_from([(), ("run 1",)]),
    lock_holder=st.sampled_from([None, "somebody"]),
    attempts=st.builds(
        Attempts,
        st.integers(0, 9),
        st.integers(0, 20),
        st.none() | st.floats(NOW - 10_000, NOW + 10_000),
    ),
)


@given(STATES)
def test_nothing_is_launched_beside_another_ingest_or_without_work(state: State) -> None:
    decision = decide(state)
    if isinstance(decision, Launch):
        assert state.waiting
        assert not state.under_way
        assert state.lock_holder is None
        assert set(decision.files) == {waits.name for waits in state.waiting}


@given(STATES)
def test_work_is_never_forgotten(state: State) -> None:
    """With nothing else at work, files that wait are loaded by the longest delay or given up aloud."""
    alone = replace(state, under_way=(), lock_holder=None, now=NOW + 20_000)
    decision = decide(alone)
    assert isinstance(decision, Launch | GiveUp) == bool(alone.waiting)
    assert isinstance(decision, GiveUp) == (bool(alone.waiting) and alone.attempts.of_this_set >= 6)
