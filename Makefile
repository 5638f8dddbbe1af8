# On a machine that has only Python (3.10-3.13) and make, `make test` and `make demo` do all the set-up first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := python -m pip install -qq --disable-pip-version-check --no-warn-script-location
INSTALL := $(BIN)/$(PIP) -c constraints.txt
SETUP := pyproject.toml constraints.txt
# Whose lowest and newest versions are tested: what runs are the tests with such a name in theirs or their file's.
FRAMEWORKS := langchain or llamaindex

.PHONY: help test demo format lint types notebooks versions lowest newest nightly bench clean

help:
	@echo "make test      set up what is missing, then run the tests"
	@echo "make demo      set up what is missing, then run the demonstration"
	@echo "make format    ruff: rewrite in the one format"
	@echo "make lint      ruff: style and format"
	@echo "make types     mypy --strict"
	@echo "make notebooks runs the notebooks and stores what they show"
	@echo "make versions  the tests of the frameworks' adapters with the lowest and the newest versions"
	@echo "make nightly   the properties with 10,000 examples each"
	@echo "make bench     the benchmarks"

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

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=/path/to/python3")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python $(SETUP)
	@echo "Installing what the demonstration needs (once; a minute or two)"
	@$(INSTALL) -e ".[demo]"
	@touch $@

$(VENV)/.dev: $(BIN)/python $(SETUP)
	@echo "Installing what the tests need (once; a minute or two)"
	@$(INSTALL) -e ".[dev]"
	@touch $@

# Beside the frameworks, and what they need, all is as usual: so are the newest found at once.
$(VENV)/constraints-newest.txt: constraints.txt constraints-lowest.txt | $(BIN)/python
	@sed -n 's/^\(.*==\).*/^\1/p' constraints-lowest.txt | grep -v -f - constraints.txt > $@

$(VENV)/constraints-lowest.txt: $(VENV)/constraints-newest.txt
	@cat $< constraints-lowest.txt > $@
