"""How many examples a test tries, whether hypothesis draws them or the test itself does."""

from __future__ import annotations

from typing import Any

import hypothesis

# What hypothesis tries where nothing else is said.
_USUAL = 100


def examples(count: int, **others: Any) -> hypothesis.settings:
    """``count`` of them, or its share where the profile tries fewer of all (`make test-quick`)."""
    return hypothesis.settings(max_examples=_share(count), deadline=None, **others)


def seeds(count: int) -> range:
    """As many seeds for what a test draws by itself, or that share of them."""
    return range(_share(count))


def _share(count: int) -> int:
    return max(1, round(count * hypothesis.settings.default.max_examples / _USUAL))
