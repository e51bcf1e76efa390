"""Local paths as Spark wants them told.

Belongs here: spelling. Does not belong here: where anything lies (``settings``, ``landing.folder.zone``).
"""

from __future__ import annotations

import re
from pathlib import Path

_ESCAPED = r"\\\1"
_PATTERN = re.compile(r"([\\\[\]{}*?])")


def hadoop_path(path: Path, *, glob: bool = False) -> str:
    """An absolute path as Hadoop's ``Path`` takes it: unlike a URI, without escapes for blanks and the like.

    ``glob`` for where it expands patterns: what looks like one is then escaped.
    """
    return f"file://{_PATTERN.sub(_ESCAPED, str(path)) if glob else path}"
