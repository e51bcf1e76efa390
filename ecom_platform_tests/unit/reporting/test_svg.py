"""Scales and pictures."""

import base64
from xml.etree import ElementTree

import pytest

from ecom_platform.reporting import svg
from ecom_platform.reporting import wording as units


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (0.0, [0.0, 1.0]),
        (float("nan"), [0.0, 1.0]),
        (1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (97.0, [0.0, 25.0, 50.0, 75.0, 100.0]),
        (8_000.0, [0.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0]),
    ],
)
def test_ticks_are_round_and_reach_the_top(top: float, expected: list[float]) -> None:
    assert svg.ticks(top) == pytest.approx(expected)


@pytest.mark.parametrize("exponent", range(-6, 12))
def test_ticks_of_every_size(exponent: int) -> None:
    for factor in (1.0, 1.7, 3.3, 9.99):
        top = factor * 10.0**exponent
        marks = svg.ticks(top)
        assert 3 <= len(marks) <= 7
        assert marks[-2] < top <= marks[-1] * 1.000_001


PICTURES = {
    "bars": svg.bars([("a & b", 1.0), ("<c>", 3.0)], units.count, "x"),
    "no bars": svg.bars([], units.count, "x", []),
    "stacked": svg.stacked_bars(
        [("a", {"p": 1.0, "q": 0.0})], {"p": svg.RED, "q": svg.BLUE}, units.seconds, "x"
    ),
    "areas": svg.stacked_areas({"p": [(0.0, 1.0), (1.0, 2.0)]}, {"p": svg.RED}, units.size, "x"),
    "no areas": svg.stacked_areas({}, {"p": svg.RED}, units.size, "x"),
    "curve": svg.curve(
        [(0.0, 0.0), (2.0, 1.0)], units.seconds, units.share, "x", marked=[(2.0, 1.0, "<all>")]
    ),
    "no curve": svg.curve([], units.seconds, units.share, "x"),
    "ranked": svg.ranked([("a" * 40, 1.0, "1 & more")], "x"),
    "nothing ranked": svg.ranked([], "x"),
    "funnel": svg.funnel([("Views", 10), ("Carts", 0), ("Purchases", 0)], "x"),
    "sparkline": svg.sparkline([1.0, 1.0, 3.0], "x"),
}


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 (our own)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_whatever_is_in_it(name: str) -> None:
    root = parsed(PICTURES[name])
    assert root.tag.endswith("svg")
    assert "nan" not in PICTURES[name]


def test_bars_are_as_high_as_their_values() -> None:
    root = parsed(PICTURES["bars"])
    heights = [float(bar.attrib["height"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01)


def test_a_data_uri_holds_the_picture_on_a_ground_of_its_own() -> None:
    uri = svg.data_uri(PICTURES["bars"])
    kind, _, content = uri.partition(",")
    assert kind == "data:image/svg+xml;base64"
    root = parsed(base64.b64decode(content).decode())
    assert root[0].attrib["fill"] == "#fff"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.count(42), "42"),
        (units.count(12_345), "12.3k"),
        (units.count(9_999), "9,999"),
        (units.count(999_400), "999k"),
        (units.count(999_700), "1M"),
        (units.count(1_234_567), "1.23M"),
        (units.count(999_700_000), "1G"),
        (units.count(1_500_000_000_000), "1,500G"),
        (units.seconds(0.0042), "4.2 ms"),
        (units.seconds(4.2), "4.2 s"),
        (units.seconds(0.9994), "999 ms"),
        (units.seconds(0.9996), "1 s"),
        (units.seconds(119.96), "2.0 min"),
        (units.seconds(420), "7.0 min"),
        (units.seconds(7_199), "2.0 h"),
        (units.size(935 * 2**20), "935 MiB"),
        (units.size(999.6 * 2**20), "1,000 MiB"),
        (units.size(1_023.7 * 2**20), "1 GiB"),
        (units.size(1_500 * 2**20), "1.46 GiB"),
        (units.money(1234.5), "1,234.50"),
        (units.money(416_154.37), "416,154"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text == expected
