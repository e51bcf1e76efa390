"""What is in packed files, told by their content: whole, in several members, cut off, damaged."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ecom_platform.files.opening import open_events
from ecom_platform.files.unreadable import FileReason, UnreadableFile

TEXT = b"".join(b"%d,%s\n" % (number, os.urandom(8).hex().encode()) for number in range(20_000))


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def one_zipped(content: bytes) -> bytes:
    return zipped(("folder/", b""), ("folder/a.csv", content))


PACKED: dict[str, tuple[Callable[[bytes], bytes], FileReason]] = {
    "gzip": (gzip.compress, FileReason.CORRUPT_GZIP),
    "zstd": (zstd, FileReason.CORRUPT_ZSTD),
    "zip": (one_zipped, FileReason.CORRUPT_ZIP),
}


def read(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    with open_events(path) as source:
        return source.stream.read()


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a"])
def test_the_content_says_how_a_file_is_packed(tmp_path: Path, kind: str, name: str) -> None:
    pack, _ = PACKED[kind]
    assert read(tmp_path / name, pack(TEXT)) == TEXT
    assert read(tmp_path / name, TEXT) == TEXT
    assert read(tmp_path / name, pack(b"")) == b""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_members_one_behind_the_other_are_one_text(tmp_path: Path, kind: str) -> None:
    pack, _ = PACKED[kind]
    assert read(tmp_path / "a", pack(TEXT) + pack(b"") + pack(TEXT)) == TEXT + TEXT


def test_frames_of_zstd_that_hold_nothing_are_passed_over(tmp_path: Path) -> None:
    skippable = struct.pack("<II", 0x184D2A53, 4) + b"note"
    assert read(tmp_path / "a", skippable + zstd(TEXT) + skippable) == TEXT


@pytest.mark.parametrize("kind", PACKED)
def test_one_that_is_cut_off_is_never_read_as_if_it_were_whole(tmp_path: Path, kind: str) -> None:
    pack, reason = PACKED[kind]
    whole = pack(TEXT)
    for end in (5, 20, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        with pytest.raises(UnreadableFile) as caught:
            read(tmp_path / "a", whole[:end])
        assert caught.value.reason == reason, end
    if kind != "zip":
        with pytest.raises(UnreadableFile) as caught:
            read(tmp_path / "a", whole + whole[:-1])
        assert caught.value.reason == reason


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_damage_is_seen_by_the_checksum(tmp_path: Path, kind: str) -> None:
    pack, reason = PACKED[kind]
    whole = bytearray(pack(TEXT))
    whole[len(whole) // 2] ^= 1
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path / "a", bytes(whole))
    assert caught.value.reason == reason


def test_a_zip_of_several_or_of_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="2 files in it") as caught:
        read(tmp_path / "a", zipped(("a.csv", TEXT), ("b.csv", TEXT)))
    assert caught.value.reason == FileReason.NOT_ONE_MEMBER
    with pytest.raises(UnreadableFile, match="an Excel file"):
        read(tmp_path / "a", zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")))


@pytest.mark.parametrize("kind", PACKED)
def test_the_fingerprint_is_of_the_bytes_on_disk(tmp_path: Path, kind: str) -> None:
    import hashlib

    pack, _ = PACKED[kind]
    path = tmp_path / "a"
    path.write_bytes(pack(TEXT))
    with open_events(path) as source:
        source.stream.read(10)
        assert source.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
        assert source.size == path.stat().st_size
