"""The docs say what the declaration says."""

from pathlib import Path

from ecom_platform.shop.documentation import render


def test_the_committed_document_is_up_to_date() -> None:
    document = Path(__file__).parents[2] / "docs" / "events.md"
    assert document.read_text() == render(), "python -m ecom_platform.shop.documentation > docs/events.md"
