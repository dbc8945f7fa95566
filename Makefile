# `make demo` and `make test` need git, python3 with venv, and make; they set up everything else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# One process per core, at most four: each imports TensorFlow. A file's shared runs stay together.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope

.PHONY: demo test test-fast lint format install clean

demo: install
	$(BIN)/python -m training.demo --folder demo

test: install
	$(PYTEST)

# Without the tests that train in processes of their own.
test-fast: install
	$(PYTEST) -m "not slow"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(READY)

# Made anew only when the dependencies change.
$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes some minutes."
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) demo
