# `make test` and `make demo` need only Python (3.11 to 3.14) and make: they install everything else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := python -m pip install -qq --disable-pip-version-check --no-warn-script-location
INSTALL := $(BIN)/$(PIP) -c constraints.txt
SETUP := pyproject.toml constraints.txt
# Frameworks that are tested with their lowest and newest versions. The expression selects the tests
# by their names and the names of their files.
FRAMEWORKS := langchain or llamaindex
# Of `make fuzz`: the time of all parts together, and another seed makes other inputs.
MINUTES ?= 5
SEED ?= 0

.PHONY: help test demo format lint types notebooks versions lowest newest nightly fuzz bench clean

help:
	@echo "make test      run the tests; the first run sets up .venv"
	@echo "make demo      run the demonstration; the first run sets up .venv"
	@echo "make format    format the code with ruff"
	@echo "make lint      check style and format with ruff"
	@echo "make types     check types with mypy --strict"
	@echo "make notebooks run the notebooks and store their output"
	@echo "make versions  test the integrations with the lowest and the newest frameworks"
	@echo "make nightly   run the property tests with 10,000 examples each"
	@echo "make fuzz      test the promises on random texts, kills, writers and conversations; MINUTES=5"
	@echo "make bench     run the benchmarks"

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto -m "not nightly"

demo: $(VENV)/.demo
	@$(BIN)/python docs/demo/pipeline.py

format: $(VENV)/.dev
	@$(BIN)/ruff format .

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

notebooks: $(VENV)/.dev
	@$(BIN)/python notebooks/execute.py

versions: lowest newest

lowest newest: %: $(VENV)/constraints-%.txt
	@echo "Installing the $@ versions (a minute or two)"
	@$(PYTHON) -m venv --clear $(VENV)/$@
	@$(VENV)/$@/bin/$(PIP) -c $< -e ".[dev]"
	@$(VENV)/$@/bin/python -m pip freeze | grep -E "^(langchain|langgraph|llama-index|openai)"
	@$(VENV)/$@/bin/python -m pytest -n auto -k "$(FRAMEWORKS)"

nightly: $(VENV)/.dev
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n auto tests -m "hypothesis or nightly"

fuzz: $(VENV)/.dev
	@PYTHONPATH=.:tests:tests/support $(BIN)/python -m fuzz --minutes $(MINUTES) --seed $(SEED)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python $(SETUP)
	@echo "Installing the packages for the demonstration (once; a minute or two)"
	@$(INSTALL) -e ".[demo]"
	@touch $@

$(VENV)/.dev: $(BIN)/python $(SETUP)
	@echo "Installing the packages for the tests (once; a minute or two)"
	@$(INSTALL) -e ".[dev]"
	@touch $@

# The newest versions are tested with the usual pins, except for the packages in constraints-lowest.txt.
# Without the other pins, pip would need much longer to find versions that work together.
$(VENV)/constraints-newest.txt: constraints.txt constraints-lowest.txt | $(BIN)/python
	@sed -n 's/^\(.*==\).*/^\1/p' constraints-lowest.txt | grep -v -f - constraints.txt > $@

$(VENV)/constraints-lowest.txt: $(VENV)/constraints-newest.txt
	@cat $< constraints-lowest.txt > $@
