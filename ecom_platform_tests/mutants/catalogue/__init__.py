"""All mutants, by subject. A new one stands beside those of the code that it changes."""

from ecom_platform_tests.mutants.catalogue import (
    alerts,
    buckets,
    checks,
    events,
    feeds,
    formats,
    landing,
    newer_rows,
    sink,
    surroundings,
    tables,
)
from ecom_platform_tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *events.MUTANTS,
    *sink.MUTANTS,
    *landing.MUTANTS,
    *buckets.MUTANTS,
    *checks.MUTANTS,
    *alerts.MUTANTS,
    *surroundings.MUTANTS,
    *feeds.MUTANTS,
    *formats.MUTANTS,
    *tables.MUTANTS,
    *newer_rows.MUTANTS,
)
