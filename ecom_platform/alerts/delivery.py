"""Sending one message to one target, through Apprise.

Belongs here: how Apprise is set up (nothing read from disk, nothing sent elsewhere, nothing logged)
and its answer. Does not belong here: which messages are sent, and when again (``dispatch``).

Apprise says why a message was not taken in its log alone, beside URLs and payloads. Its log records of
our threads are therefore kept from every handler, and only an HTTP status is read out of them.
"""

from __future__ import annotations

import contextvars
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ecom_platform.alerts.messages import Message
from ecom_platform.alerts.targets import Target

_UNUSABLE = "Apprise cannot use this URL: check its scheme and its parts"
_UNREACHED = "it could not be reached, or did not answer in time"
_STATUS = re.compile(r"\berror=(\d{3})\b")
# HTTP statuses about the message, not about the server: all of 4xx but "too slow" and "too many".
_REFUSALS = frozenset(str(status) for status in range(400, 500)) - {"408", "425", "429"}
_BODY_LIMIT = 30_000
# Apprise leaves 5.5 s between two mails, since it knows no better; a mail server takes one a second.
_MAIL_PACE_SECONDS = 1.0
_LOGGERS = ("apprise", "urllib3.connectionpool", "requests_oauthlib")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message; ``error`` is ``None`` when the target took it. ``refused``: it was there,
    and would not have this message; another one it may take."""

    error: str | None
    seconds: float
    refused: bool = False


class _Confidential(logging.Filter):
    """Drops the records of whoever is sending, and keeps the HTTP status they tell."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("heard", default=None)

    def filter(self, record: logging.LogRecord) -> bool:
        heard = self.heard.get()
        if heard is None:
            return True
        status = _STATUS.search(record.getMessage())
        if status:
            heard.append(status[1])
        return False

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Within the block, what this thread logs goes into the list, as statuses, and nowhere else."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)  # once: a logger keeps each filter once
        heard: list[str] = []
        token = self.heard.set(heard)
        try:
            yield heard
        finally:
            self.heard.reset(token)


_confidential = _Confidential()


@dataclass(slots=True)
class Courier:
    """Sends to one target. Not for two threads at once: it remembers the target's pace."""

    target: Target
    _service: Any = field(default=None, repr=False)

    @property
    def longest_body(self) -> int:
        """Characters of a message that the target takes, at most."""
        with _confidential.listening():
            service = self._opened()
        limit = int(getattr(service, "body_maxlen", 0) or 0)
        return min(limit, _BODY_LIMIT) if limit else _BODY_LIMIT

    def send(self, message: Message) -> Outcome:
        """Send ``message`` now; returns when the target has answered or a timeout has passed."""
        started = time.perf_counter()
        with _confidential.listening() as heard:
            error = self._send(message, heard)
        refused = error is not None and bool(heard) and heard[-1] in _REFUSALS
        return Outcome(error, time.perf_counter() - started, refused)

    def _send(self, message: Message, heard: list[str]) -> str | None:
        from apprise import NotifyFormat, NotifyType

        try:
            service = self._opened()
            if service is None:
                return _UNUSABLE
            kind = NotifyType.SUCCESS if message.recovered else NotifyType.FAILURE
            if service.notify(
                title=message.title, body=message.body, notify_type=kind, body_format=NotifyFormat.TEXT
            ):
                return None
        except Exception as error:
            # Its text may quote the URL.
            return f"Apprise failed with {type(error).__name__}"
        return f"it answered with HTTP status {heard[-1]}" if heard else _UNREACHED

    def _opened(self) -> Any:
        # Imported here: who sends nothing need not wait for its modules.
        from apprise import Apprise, AppriseAsset, OverflowMode, PersistentStoreMode

        if self._service is None:
            asset = AppriseAsset(
                app_id="ecom_platform",
                app_desc="Alerts of ecom_platform",
                app_url="",
                # Nothing from disk, nothing to disk.
                plugin_paths=[],
                storage_path=None,
                storage_mode=PersistentStoreMode.MEMORY,
                pgp_autogen=False,
                pem_autogen=False,
                # No pictures of another site in a message.
                image_url_mask="",
                image_url_logo="",
                # A redirected POST would be sent elsewhere, or arrive as a GET without its message.
                http_redirects=False,
            )
            self._service = Apprise.instantiate(self.target.url, asset=asset)
            if self._service is not None and "overflow=" not in self.target.url:
                self._service.overflow_mode = OverflowMode.SPLIT
            if self.target.url.lower().startswith("mailto") and self._service is not None:
                self._service.request_rate_per_sec = _MAIL_PACE_SECONDS
        return self._service
