"""How much memory there is for this process: the machine's, or what its container is allowed.

Belongs here: the limits of control groups (version 2), of the process's own group and of those above it.
Does not belong here: what a process uses, or who gets how much of it.

Source: the kernel's manual, "Control Group v2", memory.max, memory.current and memory.stat.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def total_bytes() -> int:
    """The memory of the machine, or of the container where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(limit for _, limit in _limits())])


def available_bytes(machine: int) -> int:
    """What is left of ``machine`` bytes that are available, or to the container where that is less."""
    return min([machine, *(max(limit - _held(group), 0) for group, limit in _limits())])


def _limits() -> Iterator[tuple[Path, int]]:
    """Groups that have a limit, and that limit: our own and those above it."""
    for group in _own_groups():
        limit = _read(group / "memory.max").strip()
        if limit.isdigit():  # not "max"
            yield group, int(limit)


def _own_groups() -> Iterator[Path]:
    # Version 2 is the line with the number 0; a container usually sees its own group as the root.
    lines = _read(_OWN_GROUP).splitlines()
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    group = _GROUPS / own
    while group.is_relative_to(_GROUPS):
        yield group
        group = group.parent


def _held(group: Path) -> int:
    """What the group cannot give back at once: files it has read and not used since are no use of memory."""
    current = _read(group / "memory.current").strip()
    lines = (line.split() for line in _read(group / "memory.stat").splitlines())
    idle = next((int(value) for name, value in lines if name == "inactive_file"), 0)
    return max(int(current) - idle, 0) if current.isdigit() else 0


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""
