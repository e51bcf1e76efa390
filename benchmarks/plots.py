"""Plots as SVG, drawn by hand: two kinds are needed, and no library has to be installed for them.

Belongs here: shapes and labels. Does not belong here: choosing what is plotted.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 760
_BAR, _GAP, _LABEL = 22, 10, 250
_OURS, _OTHERS, _TEXT, _GRID = "#2563eb", "#94a3b8", "#1e293b", "#e2e8f0"
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'


def bars(title: str, values: Sequence[tuple[str, float, bool]], unit: str) -> str:
    """Horizontal bars of ``(label, value, ours)``, longest value across the whole width."""
    largest = max((value for _, value, _ in values), default=1.0)
    shapes = []
    for number, (label, value, ours) in enumerate(values):
        top = 44 + number * (_BAR + _GAP)
        length = (WIDTH - _LABEL - 90) * value / largest
        shapes += [
            _text(_LABEL - 8, top + 16, label, anchor="end"),
            f'<rect x="{_LABEL}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="3" '
            f'fill="{_OURS if ours else _OTHERS}"/>',
            _text(_LABEL + length + 6, top + 16, f"{value:,.1f} {unit}"),
        ]
    return _picture(title, 54 + len(values) * (_BAR + _GAP), shapes)


def line(title: str, points: Sequence[tuple[float, float]], x_label: str, y_label: str) -> str:
    """A line through ``points``; both axes begin at 0."""
    left, right, top, bottom = 80, WIDTH - 20, 50, 300
    x_most, y_most = max(x for x, _ in points), 1.1 * max(y for _, y in points)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / x_most, bottom - (bottom - top) * y / y_most

    shapes = []
    for step in range(5):
        x, y = place(x_most * step / 4, y_most * step / 4)
        shapes += [
            f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{_GRID}"/>',
            _text(left - 8, y + 4, f"{y_most * step / 4:,.0f}", anchor="end"),
            _text(x, bottom + 20, f"{x_most * step / 4:,.1f}", anchor="middle"),
        ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    shapes += [
        f'<polyline points="{path}" fill="none" stroke="{_OURS}" stroke-width="2"/>',
        _text((left + right) / 2, bottom + 42, x_label, anchor="middle"),
        _text(left - 8, top - 12, y_label, anchor="start"),
    ]
    return _picture(title, bottom + 55, shapes)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_TEXT}" {_FONT}>{escape(text)}</text>'
    )


def _picture(title: str, height: int, shapes: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    heading = f'<text x="16" y="26" font-weight="600" fill="{_TEXT}" {_FONT}>{escape(title)}</text>'
    return "\n".join([head, ground, heading, *shapes, "</svg>", ""])
