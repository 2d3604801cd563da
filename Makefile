# Everything runs in its own virtual environment, made at first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# PyPI's torch for Linux brings gigabytes of CUDA; another index can be named here, such as
# https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
HOST ?= 127.0.0.1
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help run test check format lint types layers bench quality volume clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

run: $(VENV)/.installed ## index seeds/ and serve it on http://127.0.0.1:8000
	$(BIN)/dateline index build seeds
	$(BIN)/dateline serve --host $(HOST) --port $(PORT)

test: $(VENV)/.installed ## run the tests
	$(BIN)/python -m pytest

check: format lint types layers test ## everything that must hold before a commit

format: $(VENV)/.installed
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.installed ## time encoding against sentence-transformers, and starting
	$(BIN)/python bench/encode.py
	$(BIN)/dateline index build seeds
	$(BIN)/python bench/start.py

quality: $(VENV)/.installed ## measure reading, copies, quotes, retrieval and answers (judged collections: DATELINE_EVAL)
	$(BIN)/python bench/extraction.py
	$(BIN)/python bench/cleaning.py
	$(BIN)/python bench/duplicates.py
	$(BIN)/python bench/quotes.py
	$(BIN)/python bench/retrieval.py
	$(BIN)/python bench/answers.py

volume: $(VENV)/.installed ## build from a large dump: memory, speed, whether the report adds up (DATELINE_EVAL)
	$(BIN)/python bench/volume.py

clean: ## remove what the targets made
	rm -rf $(VENV) index index-bench dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
