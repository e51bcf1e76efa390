# The developer loop. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
PORT ?= 3000
ROUNDS ?= 50
LANDING ?= folder
ROWS ?= 1000000
REPEAT ?= 3
PATHS ?=
RATE_SECONDS ?= 300
ONLY ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests run side by side; with TESTS=path some of them. Twice as many as there are cores: many wait for programs.
TESTS ?=
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 2 )))
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations 10 $(TESTS)

# Compiled once, not by each of the hundred programs that the tests start, whatever the shell says of it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-quick test-long dev bench bench-latency bench-sensor bench-all bench-functions bench-peers torture mutants docker-env docker-test
.PHONY: check format setup schema lock clean

help: ## Print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: setup ## Generate 30,000 events, stream them into PostgreSQL, audit, check, print the summary
	@$(BIN)/ecom run

test: setup ## The tests, all but the long ones, on all cores
	@$(PYTEST) -m "not long"

test-quick: setup ## The tests that need no Spark, browser or cluster, and start no programs; property tests try 20 examples
	@$(PYTEST) -m quick --hypothesis-profile quick

test-long: setup ## The tests that take minutes: the torture's rounds, five minutes of live mode, the stack
	@$(PYTEST) -m long

dev: setup ## The Dagster UI on 127.0.0.1:3000, daemon and sensors included (LIVE=1: and the live mode)
	@$(BIN)/ecom dev --port $(PORT) $(if $(LIVE),--live)

bench-latency: setup ## Latency of the live mode, from landing to commit, at rising rates (RATE_SECONDS=300)
	@$(BIN)/python -m benchmarks.latency --seconds $(RATE_SECONDS)

bench-sensor: setup ## From landing to commit through the sensor of `ecom dev`, and its ticks
	@$(BIN)/python -m benchmarks.sensor

bench: setup ## The benchmark table (ROWS=1000000 REPEAT=3 PATHS=ecom,copy,...; ROWS may be 5000000)
	@$(BIN)/python -m benchmarks compare --rows $(ROWS) --repeat $(REPEAT) $(if $(PATHS),--paths $(PATHS))

bench-all: setup ## Growth to 30M rows, 100,000 small files, generation, start-up, the main job
	@for experiment in growth small-files generate startup "main --seed"; do $(BIN)/python -m benchmarks $$experiment; done

bench-functions: setup ## The hot functions: decode, validate, generate
	@$(BIN)/python -m pytest benchmarks -o timeout=0 --benchmark-columns=median,iqr,ops

bench-peers: setup ## What the benchmark compares with: dlt and sling in .venv-peers, pgloader, JDBC driver
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-peers/bin/python benchmarks/peers.lock
	@command -v pgloader >/dev/null && test -e /usr/share/java/postgresql.jar || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends pgloader libpostgresql-jdbc-java; } || \
		echo "pgloader and libpostgresql-jdbc-java could not be installed; the benchmark shows what is missing" >&2

torture: setup ## The long fault-injection run (ROUNDS=50 LANDING=folder, or bucket: with faults of the store)
	@$(BIN)/python -m ecom_platform_tests.torture --rounds $(ROUNDS) --landing $(LANDING)

mutants: setup ## Small faults put into a copy of the code, each of which a named test must find (ONLY=words)
	@$(BIN)/python -m ecom_platform_tests.mutants $(if $(ONLY),--only "$(ONLY)")

docker-env: ## Fresh passwords for the compose stack, into docker/.env (once)
	@$(PYTHON) docker/make-env

docker-test: setup ## Build the image, bring the compose stack up, run the main job in it, break it, tear it down
	@$(BIN)/python -m ecom_platform_tests.acceptance.docker_scenario

check: setup ## Format, lint, types, layers, then the tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

format: setup ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(STAMP) ## The environment in .venv (what the others do first, once)

# An environment knows absolute paths: where it was made for another place, or was not finished, or its
# Python is gone, it is made anew. The stamp is written last and holds the place.
WHOLE := $(shell test "$$(cat $(STAMP) 2>/dev/null)" = "$$(pwd -P)" && $(BIN)/python -c '' 2>/dev/null && echo yes)
.PHONY: anew
anew:
	@rm -rf $(VENV)

# What programs import is compiled here, since not every shell lets them keep what they compile: a quarter of
# what there is.
IMPORTED := dagster._daemon.cli, dagster_webserver.cli, ecom_platform.orchestration.code_location, ecom_platform.shop.attachment

# The lock file names exact versions and hashes; where they come from is the machine's own setting.
$(STAMP): requirements.lock requirements-uv.lock pyproject.toml setup.py $(if $(WHOLE),,anew)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@echo "setup: installing the environment into $(VENV) (once, about a minute)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock requirements-uv.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@$(BIN)/python -c 'import $(IMPORTED)' & $(BIN)/python -m ecom_platform.streaming.class_training && wait $$!
	@pwd -P > $@

schema: setup ## Write ecom_platform/store/schema.sql anew, from what the migrations make
	@$(BIN)/python -m ecom_platform_tests.schema_file

# The image's locks follow from the first one, so that it has the versions that are tested.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: setup ## Lock the dependencies again: pyproject.toml, then what the image has of them
	$(LOCK) --extra dev pyproject.toml -o requirements.lock
	$(LOCK) -c requirements.lock pyproject.toml -o docker/requirements.lock
	$(LOCK) -c requirements.lock docker/notebook.in -o docker/notebook.lock
	$(LOCK) -c requirements.lock docker/objects.in -o docker/objects.lock
	$(LOCK) -c requirements.lock -c requirements-uv.lock docker/build.in -o docker/build.lock

clean: ## Remove the environment (the state in .ecom stays)
	rm -rf $(VENV)
