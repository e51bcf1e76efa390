"""Programs that belong together: they begin one after another and end together, whatever the reason.

Belongs here: the end by a signal, by the death of one of them, or because the folder they live in is gone.
Does not belong here: how one program is kept running and ended (``supervision``), which programs they are
(``dev_runner``).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ecom_platform.errors import EcomError, StorageError
from ecom_platform.processes.interrupts import handled
from ecom_platform.processes.supervision import Companion, Guarded, Way, ending

_PERIOD_SECONDS = 0.1
# Signals this close together are one.
_ONE_SIGNAL_SECONDS = 0.5


class ServiceError(EcomError):
    """One of the programs of `ecom dev` ended by itself."""

    code = "service"


class Service(Protocol):
    """A program that runs beside this one."""

    def poll(self) -> int | None: ...

    def let_go(self) -> None: ...

    def end(self) -> None: ...

    def kill(self) -> None: ...


class Services:
    """Programs that end together. The first signal ends them in good order, a second one at once."""

    def __init__(self, keep: Sequence[int], folders: Sequence[Path], say: Callable[[str], None]) -> None:
        """``keep``: open files of the guardians (``supervision``); ``folders``: what the programs live in."""
        self._keep, self._say = keep, say
        self._folders = {folder: folder_identity(folder) for folder in folders}
        self._running: list[tuple[str, Service]] = []
        # Plain values, set in a signal handler: an Event's lock may be held by what the handler interrupts.
        self._asked_at: float | None = None
        self._at_once = False

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def on_signal(self) -> None:
        """Begin to end; a while later, end at once. A closed terminal may send its signal twice."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        elif now - self._asked_at > _ONE_SIGNAL_SECONDS:
            self._at_once = True

    @property
    def ending(self) -> bool:
        """Whether it is time to end."""
        return self._asked_at is not None

    def start(self, name: str, command: list[str]) -> None:
        """Start a program whose end is everybody's."""
        if not self.ending:
            self._running.append((name, Guarded(command, "group", self._keep)))

    def keep_running(self, name: str, command: list[str], way: Way) -> None:
        """Start a program that is started again when it dies."""
        if not self.ending:
            self._running.append((name, Companion(command, self._say, way, self._keep, name)))

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Whether ``condition`` came to hold before it was time to end; raises when this cannot go on."""
        while not condition():
            if self.ending:
                return False
            self._look()
            time.sleep(_PERIOD_SECONDS)
        return True

    def watch(self) -> None:
        """Return when a signal has come; raise when this cannot go on."""
        self.wait_until(lambda: self.ending)

    def _look(self) -> None:
        for folder, identity in self._folders.items():
            if folder_identity(folder) != identity:
                # Nothing can be written down any more, and each service would say so many times a second.
                self._at_once = True
                raise StorageError(
                    f"The folder {folder} was removed or replaced beneath `ecom dev`, which has ended.",
                    "Start it again; it begins with what is in the folder then.",
                )
        for name, service in self._running:
            if (code := service.poll()) is not None:
                raise ServiceError(
                    f"{name} ended with {ending(code)}, and `ecom dev` with it.",
                    "What it printed is above. Start `ecom dev` again; what has landed is loaded then.",
                )

    def _end(self) -> None:
        waiting = threading.Thread(target=self._end_in_good_order, daemon=True)
        if not self._at_once:
            waiting.start()
        while waiting.is_alive() and not self._at_once:
            time.sleep(_PERIOD_SECONDS)
        if self._at_once:
            for _, service in self._running:
                service.kill()

    def _end_in_good_order(self) -> None:
        for _, service in self._running:
            service.let_go()
        for _, service in self._running:
            service.end()


def folder_identity(folder: Path) -> tuple[int, int] | None:
    """What is another for a folder that was made anew under the same name; ``None``: there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def on_signals(call: Callable[[], None]) -> Iterator[None]:
    """Have ``call`` called for whatever ends a program at a terminal, or from outside."""

    with handled(lambda _: call(), signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        yield
