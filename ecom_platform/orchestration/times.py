"""Times as people type them, into the launchpad or after an option."""

from datetime import UTC, datetime

from ecom_platform.errors import UsageError


def utc(field: str, text: str) -> datetime:
    """``text`` as a time in UTC; one without an offset is meant to be. Raises :class:`UsageError`."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError as error:
        raise UsageError(
            f"{field} is {text!r}, not a time.", "Give one such as 2026-01-31T12:00:00Z."
        ) from error
    except OverflowError as error:
        raise UsageError(
            f"{field} is {text!r}, which in UTC lies outside the calendar.",
            "Give a time of the years 1 to 9999, such as 2026-01-31T12:00:00Z.",
        ) from error
