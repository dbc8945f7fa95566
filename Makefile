# `make demo` and `make test` need git, python3 with venv, and make; they set up everything else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# One process per core, at most four: each imports TensorFlow.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4
# Each process takes one stretch of the tests, so that a file's shared runs are made once, and what is
# left at the end goes to whoever is done.
TEST := $(PYTEST) --dist worksteal
# Full-size models are a group: two at once may not fit the memory.
SWEEP := $(PYTEST) --dist loadgroup -m sweep

# A few minutes that touch every part: what `make test-pythons` runs.
QUICK := tests/programs tests/test_command_lines.py tests/layers tests/export/test_command.py \
	tests/weights tests/test_new_head.py tests/training/test_config.py tests/training/test_train.py \
	tests/saved_models/test_verify.py

.PHONY: demo test test-all test-fast test-pythons coverage test-formats test-clients lint format \
	docs install clean

demo: install
	$(BIN)/python -m training.demo --folder demo

# The whole contract; only its sweeps are left to `make test-all`.
test: install
	$(TEST) -m "not sweep"

# The sweeps alone, which `make test` leaves out: the two together run every test once.
test-all: install
	$(SWEEP)

# `make test` without the tests that train in processes of their own.
test-fast: install
	$(TEST) -m "not slow and not sweep"

# A quick part of the tests under every supported Python that is installed, each in an environment of
# its own. `make test-python-3.12` does it for one.
test-pythons:
	@for version in 3.11 3.12 3.13; do \
		if python$$version --version > /dev/null 2>&1; \
		then $(MAKE) --no-print-directory test-python-$$version || exit 1; \
		else echo "There is no python$$version here: it was not tested."; fi; \
	done

test-python-%: .venv-%/.installed
	.venv-$*/bin/python -m pytest -m "not slow and not sweep" $(QUICK)

.PRECIOUS: .venv-3.%/.installed
.venv-3.%/.installed: setup.cfg pyproject.toml
	test -x .venv-3.$*/bin/python || python3.$* -m venv .venv-3.$*
	.venv-3.$*/bin/python -m pip install --quiet --editable ".[hf,kaggle,training]" \
		"pytest>=8,<10" "hypothesis>=6,<7"
	touch $@

# Every test, then the lines and branches that none of them reaches, in subprocesses too.
coverage: install
	$(TEST) -m "not sweep" --cov --cov-report=
	$(SWEEP) --cov --cov-append --cov-report=term-missing:skip-covered

# ONNX, LiteRT and OpenVINO run in an environment of their own, TensorFlow.js in another: its
# converter pins an older TensorFlow.
test-formats: .venv-formats/.installed .venv-tfjs/.installed
	PATH="$(CURDIR)/.venv-tfjs/bin:$$PATH" NODE_PATH="$(CURDIR)/.venv-tfjs/node_modules" \
		.venv-formats/bin/python -m pytest -m formats tests/formats

.venv-formats/.installed: setup.cfg
	test -x .venv-formats/bin/python || $(PYTHON) -m venv .venv-formats
	.venv-formats/bin/python -m pip install --quiet \
		--editable ".[http,litert,onnx,openvino-int8]" "pytest>=8,<10"
	touch $@

.venv-tfjs/.installed: Makefile
	test -x .venv-tfjs/bin/python || $(PYTHON) -m venv .venv-tfjs
	.venv-tfjs/bin/python -m pip install --quiet 'tensorflowjs==4.22.0' \
		'tensorflow-decision-forests==1.12.0' 'ydf==0.11.0' 'setuptools<81'
	npm install --silent --ignore-scripts --prefix .venv-tfjs @tensorflow/tfjs@4.22.0
	touch $@

# tensorflow_hub and tf_keras bring a second Keras, so they need an environment of their own.
test-clients: .venv-clients/.installed
	.venv-clients/bin/python -m pytest -m clients tests/clients

.venv-clients/.installed: setup.cfg
	test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --editable ".[hub,serving]" "pytest>=8,<10"
	touch $@

# The site, in site/; a link or an anchor that leads nowhere is an error. Look at it with
# `python3 -m http.server -d site`.
docs: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 PYTHONPATH=. \
		.venv-docs/bin/python -m mkdocs build --strict

.venv-docs/.installed: setup.cfg
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --editable ".[docs]"
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(READY)

# Reinstalls only when the dependencies change.
$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes some minutes."
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) .venv-formats .venv-tfjs .venv-clients .venv-docs .venv-3.* site demo
