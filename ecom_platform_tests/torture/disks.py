"""Disks of a round's own, which only root may mount: a small one, and one that loses its power.

Belongs here: making, stopping and mounting them. Does not belong here: what lies on them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from ecom_platform_tests.torture.ingests import kill

# The request EXT4_IOC_SHUTDOWN (ioctl of ext4, xfs and f2fs), and "drop what is not in the journal yet".
EXT4_SHUTDOWN = 0x8004587D
WITHOUT_THE_JOURNAL = 2
DISK_BYTES = 4 * 1024**3
# A killed process lets go of its files soon.
_PATIENCE_SECONDS = 30


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def own_disk(disk: Path) -> Iterator[None]:
    """An ext4 of its own at ``disk``, in a file beside it."""
    disk.mkdir()
    image = disk.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    image.unlink()  # where something was different, it stays as the evidence
    disk.rmdir()


def stop_at_once(disk: Path) -> None:
    """The file system stops on the spot, unwritten bytes are gone.

    Ext4 is told to shut down without writing its journal, as the tests of file systems do it.
    """
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_THE_JOURNAL))
    finally:
        os.close(descriptor)


def mount_again(disk: Path) -> None:
    """Every process on it is ended; mounted again it recovers what had been made durable."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while subprocess.run(["umount", disk], stderr=subprocess.DEVNULL, check=False).returncode:
        assert time.monotonic() < deadline, f"{disk} is in use"
        kill([process for process in psutil.process_iter() if _is_on(process, disk)])
        time.sleep(0.05)
    subprocess.run(["mount", "-o", "loop", disk.with_suffix(".img"), disk], check=True)


def _is_on(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        told = [process.environ().get("ECOM_HOME", ""), process.cwd(), *process.cmdline()]
        return any(str(folder) in text for text in told)
    return False
