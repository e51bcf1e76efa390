"""How many examples a property test tries."""

from __future__ import annotations

from typing import Any

import hypothesis

# What hypothesis tries where nothing else is said.
_USUAL = 100


def examples(count: int, **others: Any) -> hypothesis.settings:
    """``count`` of them, or its share where the profile tries fewer of all (`make test-quick`)."""
    share = hypothesis.settings.default.max_examples / _USUAL
    return hypothesis.settings(max_examples=max(1, round(count * share)), deadline=None, **others)
