"""The page can be read: on a narrow window, on a dark ground, aloud."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.reporting import page, svg
from ecom_platform.reporting.page import loads_card, plain_first_screen, render
from ecom_platform.store.loads import Load, Loads

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = Path(page.__file__).with_name("page.html.template").read_text()


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2.1 defines it."""
    digits = color.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_letters_has_the_contrast_that_wcag_asks_for(theme: int) -> None:
    colors = dict(re.findall(r"--(\w+): (#\w+)", re.findall(r":root \{(.*?)\}", TEMPLATE, re.DOTALL)[theme]))
    for ground in ("card", "ground"):
        for ink in ("ink", "strong", "soft", "good", "bad"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    # Of two periods the older one is nearer to the ground.
    assert contrast(colors["pale"], colors["card"]) < contrast(colors["blue"], colors["card"])


def test_a_state_can_be_read_on_its_colour() -> None:
    for ground in re.findall(r"\.state[^}]*background: (#\w+)", TEMPLATE):
        assert contrast("#ffffff", ground) >= 4.5, ground


def test_each_table_says_what_it_is_and_each_head_what_it_heads() -> None:
    loads = Loads([Load("run", NOW, False, 1, 0, 10, 0, 0)], 0)
    html = render(None, None, plain_first_screen(loads_card(loads), NOW), NOW)
    assert html.count("<table>") == html.count("<caption>") > 0
    heads = re.findall(r"<th[ >][^>]*", html)
    assert heads and all('scope="col"' in head for head in heads)


def test_nothing_is_wider_than_a_narrow_window_and_letters_stay_large_enough() -> None:
    assert set(re.findall(r"auto-fit, minmax\(([^,]+),", TEMPLATE)) == {"min(190px", "min(440px"}
    assert "overflow-x: auto" in TEMPLATE
    (narrowest,) = (int(width) for width in re.findall(r"svg \{ width: 100%; min-width: (\d+)px", TEMPLATE))
    assert 13 * narrowest / svg.WIDTH >= 8
