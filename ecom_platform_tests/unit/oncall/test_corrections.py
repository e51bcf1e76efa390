"""Files of corrections: which may be named in the UI, and that nothing of other files is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.errors import UsageError
from ecom_platform.oncall.corrections import file_below, replay_corrected
from ecom_platform.shop.event import HEADER
from ecom_platform.store.connection import Database

SECRET = "s3cret-word"
# Nobody asks it: what cannot be read is found out before.
NO_DATABASE = Database("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize(
    "content",
    [
        f"{SECRET}\n{SECRET}\n",
        f"{SECRET}:x:0:0,{SECRET}\n",
        f"{HEADER},{SECRET}\n",
        f'"{SECRET}\n{SECRET}',
        f"{SECRET}\0{SECRET}",
        f"\xff{SECRET}",
        "",
    ],
)
def test_nothing_of_another_file_is_told(content: str, tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        replay_corrected(NO_DATABASE, path)
    assert SECRET not in str(caught.value)
    assert "\\x" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_only_files_of_the_folder_may_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    (folder / "may").mkdir(parents=True)
    outside = tmp_path / "outside.csv"
    outside.write_text(SECRET)
    (folder / "link.csv").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / "fixed.csv").write_text(HEADER)
    for given in ("fixed.csv", "may/../fixed.csv", str(folder / "fixed.csv")):
        assert file_below(folder, given) == folder.resolve() / "fixed.csv"
    for given in (
        "../outside.csv",
        str(outside),
        "/etc/hostname",
        "link.csv",
        "up/outside.csv",
        "",
        ".",
        "may/..",
    ):
        with pytest.raises(UsageError, match="is not in the folder"):
            file_below(folder, given)
