"""What is installed: its version, and whether the environment belongs to the code that it runs.

Belongs here: what can be known without a setting, a network or a version control system. Does not
belong here: what the environment needs besides (``doctor``).
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ecom_platform
from ecom_platform.errors import PrerequisiteError

_PACKAGE = Path(ecom_platform.__file__).parent
_NAME = "ecom_platform"
# Left by `make setup`: the environment is that of the checkout around it.
_STAMP = ".installed"


def package_version() -> str:
    """The version of the installed package."""
    try:
        return version(_NAME)
    except PackageNotFoundError:
        return "unknown (not installed)"


def require_own_environment(program: Path, prefix: Path = Path(sys.prefix), package: Path = _PACKAGE) -> None:
    """Refuse the environment of another checkout: one that was copied runs the original's code.

    ``program`` is what was started, ``prefix`` the environment that runs it, ``package`` the code.

    Raises :class:`PrerequisiteError` naming both places.
    """
    checkout = _checkout_of(program)
    if checkout is None and (prefix / _STAMP).is_file() and package.parent != Path.cwd():
        checkout = prefix.parent
    if checkout is None or not (checkout / _NAME).is_dir():
        return
    if not package.samefile(checkout / _NAME):
        raise PrerequisiteError(
            f"The environment in {checkout} was made elsewhere: it runs the code in {package.parent}.",
            f"Run `make setup` in {checkout}: where a checkout was copied or moved, it makes it anew.",
        )


def _checkout_of(program: Path) -> Path | None:
    """The checkout whose environment ``program`` is a script of, as `.venv/bin/ecom` is."""
    environment = program.absolute().parent.parent
    return environment.parent if (environment / _STAMP).is_file() else None
