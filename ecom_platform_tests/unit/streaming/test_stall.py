"""A query that is stuck, one that has nothing to do, and one that has much."""

from ecom_platform.streaming.stall import Stall


def test_work_without_a_finished_batch_is_a_stall() -> None:
    stall = Stall()
    assert [stall.seconds(True, 5, now) for now in (0.0, 5.0, 400.0)] == [0.0, 5.0, 400.0]


def test_each_finished_batch_begins_anew() -> None:
    stall = Stall()
    assert [stall.seconds(True, int(now), now) for now in (0.0, 300.0, 600.0)] == [0.0, 0.0, 0.0]


def test_without_work_nothing_is_stuck() -> None:
    stall = Stall()
    stall.seconds(True, 5, 0.0)
    assert stall.seconds(False, 5, 400.0) == 0.0
    assert stall.seconds(True, 5, 405.0) == 0.0
