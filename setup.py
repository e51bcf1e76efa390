"""What of the build has to be code: the files that Dagster is handed. All else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# They stand at the top, where plain `dagster dev` looks for them, and go into the package when it is built.
DAGSTER_FILES = ("workspace.yaml", "dagster.yaml")


class BuildWithDagsterFiles(build_py):
    """Copies the files that `ecom dev` hands to Dagster into the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for name in DAGSTER_FILES:
                shutil.copyfile(Path(__file__).parent / name, Path(self.build_lib, "ecom_platform", name))


setup(cmdclass={"build_py": BuildWithDagsterFiles})
