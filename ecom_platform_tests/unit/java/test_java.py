"""Which Java is found. The fake ones are shell scripts: programs on a PATH are the module's input."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.errors import JavaError, StorageError
from ecom_platform.java import discovery as module
from ecom_platform.java.discovery import Java, find_java
from ecom_platform.settings import Settings

VECTOR = "jdk.incubator.vector"


def settings_of(tmp_path: Path, java_home: Path | None = None) -> Settings:
    return Settings(home=tmp_path / "home", landing_dir=tmp_path / "landing", java_home=java_home)


def fake_java(home: Path, banner: str, release: str | None = None, exit_code: int = 0) -> Path:
    """A home whose ``bin/java`` prints ``banner`` on standard error, as the real one does."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{banner}' >&2\nexit {exit_code}\n")
    program.chmod(0o755)
    if release is not None:
        (home / "release").write_text(release)
    return home


@pytest.fixture(autouse=True)
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it; tests put links to their Java there."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ('java version "25" 2025-09-16 LTS', 25),
        ('openjdk version "17.0.15+6-Debian"', 17),
    ],
)
def test_java_home_is_taken_with_the_version_it_prints(tmp_path: Path, banner: str, version: int) -> None:
    home = fake_java(tmp_path / "jdk", banner)
    assert find_java(settings_of(tmp_path, home)) == Java(home, version, "JAVA_HOME")


def test_the_release_file_spares_the_start_of_a_jvm(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "jdk", "must not be run", 'JAVA_VERSION="21.0.2"\n', exit_code=1)
    assert find_java(settings_of(tmp_path, home)).version == 21


@pytest.mark.parametrize("release", [None, 'JAVA_VERSION="1.8.0_392"\n'])
def test_a_java_home_that_is_too_old_is_named_with_its_version(tmp_path: Path, release: str | None) -> None:
    home = fake_java(tmp_path / "jdk 8", 'java version "1.8.0_392"', release)
    with pytest.raises(JavaError) as caught:
        find_java(settings_of(tmp_path, home))
    assert f"JAVA_HOME is {home}, which is Java 8; Spark needs 17 or newer." in caught.value.message
    assert "unset it" in caught.value.remedy


def test_a_java_home_without_java_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JavaError, match="has no program bin/java"):
        find_java(settings_of(tmp_path, tmp_path / "nowhere"))


def test_a_broken_java_home_is_an_error(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "jdk", "Error: could not find libjava.so", exit_code=2)
    with pytest.raises(JavaError, match="does not tell its version"):
        find_java(settings_of(tmp_path, home))


def test_java_on_the_path_is_followed_to_its_home(tmp_path: Path, empty_path: Path) -> None:
    home = fake_java(tmp_path / "jvm" / "17", 'openjdk version "17.0.15"', 'JAVA_VERSION="17.0.15"\n')
    (tmp_path / "alternatives").symlink_to(home / "bin" / "java")
    (empty_path / "java").symlink_to(tmp_path / "alternatives")
    assert find_java(settings_of(tmp_path)) == Java(home, 17, "PATH")


def test_a_launcher_on_the_path_is_asked_for_its_home(tmp_path: Path, empty_path: Path) -> None:
    home = fake_java(tmp_path / "jvm" / "21", 'openjdk version "21.0.1"', 'JAVA_VERSION="21.0.1"\n')
    launcher = empty_path / "java"
    launcher.write_text(f"#!/bin/sh\necho '    java.home = {home}' >&2\n")
    launcher.chmod(0o755)
    assert find_java(settings_of(tmp_path)) == Java(home, 21, "PATH")


@pytest.mark.parametrize(
    ("banner", "exit_code", "told"),
    [
        ('openjdk version "11.0.2" 2019-01-15', 0, "is Java 11"),
        ("The operation could not be completed. Unable to locate a Java Runtime.", 1, "has no home"),
    ],
)
def test_an_unusable_java_on_the_path_is_passed_over_aloud(
    tmp_path: Path,
    empty_path: Path,
    caplog: pytest.LogCaptureFixture,
    banner: str,
    exit_code: int,
    told: str,
) -> None:
    home = fake_java(tmp_path / "old", banner, exit_code=exit_code)
    if exit_code == 0:
        (home / "release").write_text('JAVA_VERSION="11.0.2"\n')
        (empty_path / "java").symlink_to(home / "bin" / "java")
    else:
        (home / "bin" / "java").rename(empty_path / "java")
    with caplog.at_level(logging.WARNING):
        assert find_java(settings_of(tmp_path)).source == "wheel"
    assert told in caplog.text
    assert str(empty_path / "java") in caplog.text


def test_the_packaged_java_runs_with_what_spark_passes(tmp_path: Path) -> None:
    java = find_java(settings_of(tmp_path))
    assert java.source == "wheel" and java.version >= 17
    assert java.home == tmp_path / "home" / "java" / str(java.version)
    command = [java.home / "bin" / "java", f"--add-modules={VECTOR}", "-Dof.test=a 'b\" $c", "-version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f'version "{java.version}' in result.stderr


def test_the_wrapper_passes_every_other_argument_as_it_is(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "jre's home", "", 'JAVA_VERSION="21"\nMODULES="java.base"\n')
    (home / "bin" / "java").write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    java = find_java(settings_of(tmp_path, home))
    assert java.home != home and java.source == "JAVA_HOME"
    arguments = ["a b", "", f"--add-modules={VECTOR}", "it's", "*", "$HOME", "--add-modules=java.sql"]
    output = subprocess.run(
        [java.home / "bin" / "java", *arguments], capture_output=True, text=True, check=True
    )
    assert output.stdout == "<a b><><it's><*><$HOME><--add-modules=java.sql>"


def test_a_java_with_the_module_needs_no_wrapper(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "jdk", "", f'JAVA_VERSION="21"\nMODULES="java.base {VECTOR} java.sql"\n')
    assert find_java(settings_of(tmp_path, home)).home == home


def test_a_wrapper_is_mended_when_the_environment_has_moved(tmp_path: Path) -> None:
    wrapper = find_java(settings_of(tmp_path)).home / "bin" / "java"
    right = wrapper.read_text()
    wrapper.write_text("#!/bin/sh\nexec /gone/bin/java\n")
    find_java(settings_of(tmp_path))
    assert wrapper.read_text() == right
    wrapper.chmod(0o644)
    find_java(settings_of(tmp_path))
    assert wrapper.stat().st_mode & 0o777 == 0o755
    assert [file.name for file in wrapper.parent.iterdir()] == ["java"]


def test_many_processes_may_write_the_wrapper_at_once(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\nfrom pathlib import Path\n"
        "from ecom_platform.settings import Settings\nfrom ecom_platform.java.discovery import find_java\n"
        "java = find_java(Settings(home=Path(sys.argv[1]), landing_dir=Path(sys.argv[1])))\n"
        "subprocess.run([java.home / 'bin' / 'java', '-version'], check=True, capture_output=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "home")]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(240) for process in processes] == [0, 0, 0, 0]


def test_a_wrapper_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        find_java(settings_of(tmp_path))


def test_no_java_at_all_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JavaError, match="No Java 17 or newer") as caught:
        find_java(settings_of(tmp_path))
    assert "Install Java 17" in caught.value.remedy


def test_finding_it_again_starts_no_jvm_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_java(settings_of(tmp_path))
    wrapper = found.home / "bin" / "java"
    file = wrapper.stat().st_ino

    def unwanted(*arguments: object) -> None:
        raise AssertionError(f"what is needed is there: {arguments}")

    monkeypatch.setattr(module, "_run", unwanted)
    monkeypatch.setattr(module, "_write_executable", unwanted)
    assert find_java(settings_of(tmp_path)) == found
    assert wrapper.stat().st_ino == file
