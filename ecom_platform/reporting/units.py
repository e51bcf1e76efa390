"""Numbers as people read them.

Belongs here: rounding and units. Does not belong here: any of the numbers.
"""

from __future__ import annotations


def count(value: float) -> str:
    """1234567 as 1.23M, 12345 as 12.3k, 42 as 42."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= bound:
            scaled = value / (1e3 if unit == "k" else bound)
            return f"{scaled:.3g}{unit}" if scaled < 1000 else f"{scaled:,.0f}{unit}"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def seconds(value: float) -> str:
    """0.0042 as 4.2 ms, 0.42 as 420 ms, 4.2 as 4.2 s, 420 as 7.0 min."""
    if value == 0:
        return "0"
    if abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    if abs(value) < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.1f} min" if abs(value) < 7200 else f"{value / 3600:.1f} h"


def size(value: float) -> str:
    """Bytes in binary units."""
    for bound, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= bound:
            return f"{value / bound:.3g} {unit}" if value < 1000 * bound else f"{value / bound:,.0f} {unit}"
    return f"{value:.0f} B"


def binary(value: float) -> float:
    """The binary unit that ``value`` bytes are given in."""
    return next((float(bound) for bound in (2**30, 2**20, 2**10) if abs(value) >= bound), 1.0)


def money(value: float) -> str:
    """Amounts without their cents from ten thousand on; prices have no currency."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"


def cores(value: float) -> str:
    return f"{value:.3g}"


def share(value: float) -> str:
    return f"{value:.0%}"
