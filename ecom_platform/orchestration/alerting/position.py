"""How far the event log has been read, as the sensor's cursor.

Belongs here: the overlap. An event gets its number before it is committed, so one can appear behind
others that were read already; what was read during the last two minutes is therefore read again.
Does not belong here: reading (``reading``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ecom_platform.alerts.problem import Window

OVERLAP = timedelta(seconds=120)
# Marks closer together than this are one: the cursor stays short.
_MARK_DISTANCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Position:
    """``since``: when the watch began. Each mark: at that time, everything up to that number was read."""

    since: datetime
    marks: tuple[tuple[datetime, int], ...]

    @classmethod
    def beginning(cls, now: datetime, newest: int) -> Position:
        """The watch begins behind what the log holds now: old problems are nobody's news."""
        return cls(now, ((now, newest),))

    @property
    def ticked_at(self) -> datetime:
        """When the last tick succeeded, or the watch began."""
        return self.marks[-1][0]

    @property
    def reached(self) -> int:
        """The number everything up to which has been read."""
        return self.marks[-1][1]

    def after(self, now: datetime) -> int:
        """The number to read behind: the newest that is older than the overlap, else the first."""
        old = [number for time, number in self.marks if time <= now - OVERLAP]
        return old[-1] if old else self.marks[0][1]

    def advanced(self, now: datetime, reached: int) -> Position:
        """Everything up to ``reached`` has been read. Marks nobody will need are dropped."""
        marks = list(self.marks)
        recent = len(marks) > 1 and marks[-1][0] - marks[-2][0] < _MARK_DISTANCE
        if recent:
            marks.pop()
        marks.append((now, max(reached, self.reached)))
        old = [index for index, (time, _) in enumerate(marks) if time <= now - OVERLAP]
        return Position(self.since, tuple(marks[old[-1] :] if old else marks))

    def wiped(self) -> Position:
        """The log is another one now, of which nothing was read."""
        return Position(self.since, ((self.ticked_at, 0),))

    def window(self) -> Window:
        """What a source of signs is asked about by the tick that begins here."""
        return Window(self.since, max(self.since, self.ticked_at - OVERLAP))

    def dump(self) -> str:
        return json.dumps(
            {
                "since": self.since.isoformat(),
                "marks": [[time.timestamp(), number] for time, number in self.marks],
            }
        )

    @classmethod
    def load(cls, text: str) -> Position:
        values = json.loads(text)
        marks = tuple((datetime.fromtimestamp(time, UTC), int(number)) for time, number in values["marks"])
        return cls(datetime.fromisoformat(values["since"]), marks)
