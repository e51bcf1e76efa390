"""The page about declarations is what the code says."""

from __future__ import annotations

from pathlib import Path

from ecom_platform.feeds.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "feed-reference.md"


def test_the_committed_page_is_up_to_date() -> None:
    """If it fails: python -m ecom_platform.feeds.reference > docs/feed-reference.md"""
    assert PAGE.read_text(encoding="utf-8") == render()
