"""Numbers as people read them.

Belongs here: rounding and units. Does not belong here: any of the numbers.

A number is rounded before its unit is chosen: 999.6 ms is 1 s, and never 1e+03 ms.
"""

from __future__ import annotations

_SIZES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def _rounded(value: float) -> float:
    """Three significant digits of it."""
    return float(f"{value:.3g}")


def _short(value: float) -> str:
    """Three significant digits, more where there are more before the point."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def count(value: float) -> str:
    """1234567 as 1.23M, 12345 as 12.3k, 42 as 42."""
    rounded = abs(_rounded(value))
    for bound, unit in ((1e9, "G"), (1e6, "M")):
        if rounded >= bound:
            return f"{_short(value / bound)}{unit}"
    if abs(value) >= 9_999.5:  # what has four digits is written out
        return f"{value / 1000:.3g}k"
    return f"{value:,.0f}" if value == int(value) or rounded >= 100 else f"{value:.3g}"


def seconds(value: float) -> str:
    """0.0042 as 4.2 ms, 0.42 as 420 ms, 4.2 as 4.2 s, 420 as 7.0 min."""
    rounded = abs(_rounded(value))
    if rounded == 0:
        return "0"
    if rounded < 1:
        return f"{value * 1000:.3g} ms"
    if rounded < 120:
        return f"{value:.3g} s"
    minutes = f"{value / 60:,.1f}"
    return f"{minutes} min" if rounded < 7200 and minutes != "120.0" else f"{value / 3600:,.1f} h"


def size(value: float) -> str:
    """Bytes in binary units."""
    for bound, unit in _SIZES:
        # From half a smaller unit below it: what would be written as 1,024 of those is one of these.
        if abs(value) >= bound * (1 - 0.5 / 1024):
            return f"{_short(value / bound)} {unit}"
    return f"{value:.0f} B"


def binary(value: float) -> float:
    """The binary unit that ``value`` bytes are given in."""
    return next((float(bound) for bound, _ in _SIZES if abs(value) >= bound), 1.0)


def money(value: float) -> str:
    """Amounts without their cents from ten thousand on; prices have no currency."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"


def cores(value: float) -> str:
    return f"{value:.3g}"


def share(value: float) -> str:
    return f"{value:.0%}"
