"""Plots as SVG text, in a handful of forms: bars, stacked bars, stacked areas, curves, sparklines.

Belongs here: scales, ticks, marks. Does not belong here: which figures are plotted (``charts``).

A plot is a complete picture of its own: it names no font, no colour and no script from elsewhere, so the
same text stands in the page and, as a data URI, in the Dagster UI. Every mark says its value on hover.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from markupsafe import Markup

from ecom_platform.reporting import wording as units

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 14, 16, 30

BLUE, TEAL, ORANGE, VIOLET = "#4263eb", "#0ca678", "#f08c00", "#9c36b5"
RED, GREY, CYAN = "#e03131", "#868e96", "#1098ad"
# Of the page's theme, where there is one: the older of two periods must not stand out on a dark ground.
PALE, STRONG = "var(--pale,#bac8ff)", f"var(--blue,{BLUE})"

_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink,#495057)}"
    ".plot-grid{stroke:var(--grid,#e9ecef);stroke-width:1}.plot-value{fill:var(--strong,#212529)}"
    ".plot-mark:hover{opacity:.75}"
)

Format = Callable[[float], str]


def ticks(top: float, wanted: int = 4) -> list[float]:
    """Round values from zero to the first one at or above ``top``, about ``wanted`` of them.

    Steps are 1, 2, 2.5 or 5 times a power of ten.
    """
    if not top > 0 or not math.isfinite(top):
        return [0.0, 1.0]
    raw = top / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999_999)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def picture(body: str, label: str, width: int = WIDTH, height: int = HEIGHT) -> Markup:
    """A whole SVG picture; ``label`` is what is read aloud."""
    # All that can come from data is escaped where it is drawn.
    return Markup(  # noqa: S704
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(label)}"><style>{_STYLE}</style>{body}</svg>'
    )


def data_uri(svg: Markup) -> str:
    """The picture as an address that holds all of it, on a white ground of its own."""
    start = svg.index(">") + 1
    ground = Markup('<rect width="100%" height="100%" rx="6" fill="#fff"/>')
    encoded = base64.b64encode((svg[:start] + ground + svg[start:]).encode()).decode()
    return f"data:image/svg+xml;base64,{encoded}"


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, color: str, title: str) -> str:
    return (
        f'<rect class="plot-mark" x="{x:.2f}" y="{y:.2f}" width="{max(width, 0.5):.2f}"'
        f' height="{max(height, 0):.2f}"'
        f' fill="{color}"><title>{escape(title)}</title></rect>'
    )


class _Frame:
    """The axes of a plot over time or over a count of things."""

    def __init__(self, top: float, unit: Format, left: int = _LEFT) -> None:
        scale = units.binary(top) if unit is units.size else 1.0
        self.marks = [mark * scale for mark in ticks(top / scale)]
        self.top = self.marks[-1]
        self.left = left
        self.width = WIDTH - left - _RIGHT
        self.unit = unit

    def y(self, value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / self.top)

    def x(self, share: float) -> float:
        return self.left + self.width * share

    def grid(self) -> str:
        lines = []
        for mark in self.marks:
            at = self.y(mark)
            lines.append(
                f'<line class="plot-grid" x1="{self.left}" x2="{WIDTH - _RIGHT}"'
                f' y1="{at:.1f}" y2="{at:.1f}"/>'
            )
            lines.append(_text(self.left - 8, at + 4, self.unit(mark), "end"))
        return "".join(lines)

    def ends(self, first: str, last: str, middle: str = "") -> str:
        at = HEIGHT - 10
        return (
            _text(self.left, at, first)
            + _text(self.x(0.5), at, middle, "middle")
            + _text(WIDTH - _RIGHT, at, last, "end")
        )


def bars(
    values: Sequence[tuple[str, float]],
    unit: Format,
    label: str,
    colors: Sequence[str] = (BLUE,),
) -> Markup:
    """One bar a value, from left to right; ``colors`` one for all, or one each."""
    return stacked_bars(
        [(name, {"": value}) for name, value in values],
        {"": colors[0] if colors else BLUE},
        unit,
        label,
        colors,
    )


def stacked_bars(
    values: Sequence[tuple[str, Mapping[str, float]]],
    colors: Mapping[str, str],
    unit: Format,
    label: str,
    each: Sequence[str] = (),
) -> Markup:
    """One bar a thing, its parts on top of one another in the order of ``colors``."""
    frame = _Frame(max((sum(parts.values()) for _, parts in values), default=0.0), unit)
    slot = frame.width / max(len(values), 1)
    thick = min(slot * 0.82, 48.0)
    body = [frame.grid()]
    for number, (name, parts) in enumerate(values):
        x = frame.left + slot * number + (slot - thick) / 2
        below = 0.0
        for part, color in colors.items():
            value = parts.get(part, 0.0)
            if value <= 0:
                continue
            shown = each[number] if len(each) == len(values) else color
            top = frame.y(below + value)
            title = f"{name}{' · ' + part if part else ''}: {unit(value)}"
            body.append(_rect(x, top, thick, frame.y(below) - top, shown, title))
            below += value
    if values:
        body.append(frame.ends(values[0][0], values[-1][0] if len(values) > 1 else ""))
    return picture("".join(body), label)


def stacked_areas(
    series: Mapping[str, Sequence[tuple[float, float]]],
    colors: Mapping[str, str],
    unit: Format,
    label: str,
    ends: tuple[str, str] = ("", ""),
) -> Markup:
    """Values over time, on top of one another; each series has the same times, within [0, 1]."""
    xs = sorted({x for points in series.values() for x, _ in points})
    tables = {name: dict(points) for name, points in series.items()}
    totals = [sum(table.get(x, 0.0) for table in tables.values()) for x in xs]
    frame = _Frame(max(totals, default=0.0), unit)
    body = [frame.grid()]
    below = [0.0] * len(xs)
    for name, color in colors.items():
        if name not in tables or len(xs) < 2:
            continue
        above = [low + tables[name].get(x, 0.0) for x, low in zip(xs, below, strict=True)]
        outline = [(x, value) for x, value in zip(xs, above, strict=True)]
        outline += [(x, value) for x, value in zip(reversed(xs), reversed(below), strict=True)]
        points = " ".join(f"{frame.x(x):.1f},{frame.y(value):.1f}" for x, value in outline)
        peak = max(tables[name].values())
        body.append(
            f'<polygon class="plot-mark" points="{points}" fill="{color}" fill-opacity=".85">'
            f"<title>{escape(name)}: up to {escape(unit(peak))}</title></polygon>"
        )
        below = above
    body.append(frame.ends(*ends))
    return picture("".join(body), label)


def curve(
    points: Sequence[tuple[float, float]],
    unit_x: Format,
    unit_y: Format,
    label: str,
    color: str = BLUE,
    marked: Sequence[tuple[float, float, str]] = (),
) -> Markup:
    """A line through ``points``, filled to the axis; ``marked`` points carry a text."""
    right = max((x for x, _ in points), default=1.0) or 1.0
    frame = _Frame(max((y for _, y in points), default=1.0), unit_y)
    places = [(frame.x(x / right), frame.y(y)) for x, y in points]
    body = [frame.grid()]
    if places:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        base = frame.y(0)
        body.append(
            f'<polygon points="{places[0][0]:.1f},{base:.1f} {line} {places[-1][0]:.1f},{base:.1f}" '
            f'fill="{color}" fill-opacity=".15"/>'
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        )
    for x, y, text in marked:
        at_x, at_y = frame.x(x / right), frame.y(y)
        side = ("end", -9) if at_x > frame.x(0.6) else ("start", 9)
        body.append(
            f'<circle class="plot-mark" cx="{at_x:.1f}" cy="{at_y:.1f}" r="4.5" fill="{color}">'
            f"<title>{escape(text)}</title></circle>"
            + _text(at_x + side[1], at_y + 14, text, side[0], "plot-value")
        )
    body.append(frame.ends(unit_x(0), unit_x(right), unit_x(right / 2)))
    return picture("".join(body), label)


def ranked(
    rows: Sequence[tuple[str, float, str]], label: str, color: str = BLUE, width: int = WIDTH
) -> Markup:
    """Bars from the left, one below the other: a name, a value that is the length, a text beside it."""
    thick, gap, names = 18, 9, 190
    room = width - names - 150
    top = max((value for _, value, _ in rows), default=0.0) or 1.0
    body = []
    for number, (name, value, text) in enumerate(rows):
        y = 6 + number * (thick + gap)
        length = room * value / top
        shown = name if len(name) <= 26 else name[:25] + "…"
        body.append(_text(names - 10, y + 13, shown, "end"))
        body.append(_rect(names, y, length, thick, color, f"{name}: {text}"))
        body.append(_text(names + max(length, 1) + 8, y + 13, text, kind="plot-value"))
    return picture("".join(body), label, width, max(len(rows), 1) * (thick + gap) + 12)


def funnel(steps: Sequence[tuple[str, int]], label: str) -> Markup:
    """Steps as bars that narrow towards the middle, the share of the step before between them."""
    width, thick, gap = WIDTH, 46, 30
    top = max((value for _, value in steps), default=0) or 1
    body = []
    for number, ((name, value), color) in enumerate(zip(steps, (BLUE, CYAN, TEAL), strict=False)):
        y = 6 + number * (thick + gap)
        length = max((width - 260) * value / top, 2.0)
        x = 130 + (width - 260 - length) / 2
        body.append(_rect(x, y, length, thick, color, f"{name}: {value:,}"))
        body.append(_text(0, y + 28, name))
        body.append(_text(width, y + 28, f"{value:,}", "end", "plot-value"))
        if number:
            before = steps[number - 1][1]
            share = f"{value / before:.1%} of {steps[number - 1][0].lower()}" if before else "-"
            body.append(_text(width / 2, y - 10, f"▾ {share}", "middle"))
    return picture("".join(body), label, width, len(steps) * (thick + gap) - gap + 12)


def sparkline(values: Sequence[float], label: str, color: str = BLUE) -> Markup:
    """A small line of the last values, the newest marked."""
    width, height = 160, 32
    if not values:
        return Markup()
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (width - 12) / max(len(values) - 1, 1)
    places = [
        (6 + step * number, height - 6 - (height - 12) * (value - low) / span)
        for number, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    body = (
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'
    )
    return picture(body, label, width, height)
