"""The rules of the shop's events under the names that its checks have had from the beginning.

Belongs here: which rules of the declaration each check holds the rows to. Does not belong here: the rules
(``user_events.yaml``), or the looking (``store.audit``).
"""

from __future__ import annotations

from ecom_platform.store.audit import RowRules
from ecom_platform.store.row_conditions import RuleKind

_PRESENT, _DEPENDENT = frozenset({RuleKind.PRESENT}), frozenset({RuleKind.DEPENDENT})
_DOMAIN, _BOUNDED = frozenset({RuleKind.LISTED, RuleKind.BOUNDED}), frozenset({RuleKind.BOUNDED})

# What each of them promises.
EVENT_RULES = {
    RowRules(
        "no_missing_values", "Rows that lack a value every event has.", _PRESENT
    ): "No value is missing where every event has one.",
    RowRules(
        "price_only_on_sales",
        "Rows with a price on a view, or none on another event.",
        _DEPENDENT,
        ("price",),
    ): "A price is absent on views, and only there.",
    RowRules(
        "price_is_plausible", "Prices that are not positive, not finite or too large.", _BOUNDED, ("price",)
    ): "Prices are positive, finite and not beyond numeric(10,2).",
    RowRules(
        "values_in_domain",
        "Rows whose type, category, device, country or user is not a declared one.",
        _DOMAIN,
        ("event_type", "category", "user_device", "user_location", "user_id"),
    ): "Event types, categories, devices, countries and users are declared ones.",
    RowRules(
        "event_time_is_plausible", "Events before 2000 or more than a day ahead.", _BOUNDED, ("event_time",)
    ): "Events lie between the year 2000 and one day from now.",
}
