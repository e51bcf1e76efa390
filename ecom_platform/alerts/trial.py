"""``ecom alerts test``: one message to each target, and what became of it.

Belongs here: the trial. Does not belong here: what is printed of it (``commands``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime

from ecom_platform.alerts.delivery import Courier
from ecom_platform.alerts.messages import Message
from ecom_platform.alerts.targets import Target


@dataclass(frozen=True, slots=True)
class Trial:
    """How one target took the message."""

    target: str
    delivered: bool
    error: str | None
    seconds: float


def try_targets(
    targets: Sequence[Target], ui_url: str, done: Callable[[Trial], None] = lambda trial: None
) -> list[Trial]:
    """Send a test message to every target, side by side, and tell ``done`` of each when it has answered;
    returns them in the order of ``targets``."""
    sent_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    message = Message(
        title="[TEST] ecom_platform can reach you",
        body=f"Sent by `ecom alerts test`; nothing is wrong.\nsent: {sent_at}\nlink: {ui_url}",
        recovered=True,
        delivery_ids=(),
        attempts=1,
    )

    def attempt(target: Target) -> Trial:
        courier = Courier(target)
        try:
            outcome = courier.send(message)
        finally:
            courier.close()
        return Trial(target.name, outcome.error is None, outcome.error, round(outcome.seconds, 3))

    if not targets:
        return []
    with ThreadPoolExecutor(len(targets)) as pool:
        attempts = [pool.submit(attempt, target) for target in targets]
        for future in as_completed(attempts):
            done(future.result())
        return [future.result() for future in attempts]
