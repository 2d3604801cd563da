# Everything runs in its own virtual environment, made at first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# PyPI's torch for Linux brings gigabytes of CUDA; another index can be named here, such as
# https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# Which Node the clients for it are tried with.
NODE ?= node
export NODE
# Judged collections, where there are any.
EVAL := $(or $(DATELINE_EVAL),../shared/eval)
JUDGED := $(wildcard $(addprefix $(EVAL)/,newsquiz time scifact))
ANSWERED := $(wildcard $(EVAL)/newsquiz $(EVAL)/squad/dev-v2.0.json)
# Open WebUI has an environment of its own: it pins what Dateline pins, to other releases.
WEBUI_VENV ?= .venv-openwebui
# The peer that we are measured against has one too.
TXTAI_VENV ?= .venv-txtai
# Locking, auditing and listing what is installed has its tools in one environment, and what the image serves
# with, as the lock names it, in another.
SUPPLY_VENV ?= .venv-supply
LOCKED_VENV ?= .venv-locked
# What reads compose.yaml and the manifests has one as well.
DEPLOY_VENV ?= .venv-deploy
LOCK := $(SUPPLY_VENV)/bin/uv pip compile --quiet --generate-hashes --no-annotate --python-version 3.11 \
    --custom-compile-command 'make lock'
# What the image has beside, where it is built for more than one machine.
CLUSTER := llm milvus otel
# Milvus and Ray have one each. Both listen on every address that they find, and Ray starts many processes: so
# they are tried in a network of their own. A Milvus that is there is tried instead where it is named:
# MILVUS_URI=…, MILVUS_TOKEN=…
MILVUS_VENV ?= .venv-milvus
RAY_VENV ?= .venv-ray
comma := ,
ALONE := unshare --map-root-user --net --pid --fork --kill-child --mount-proc \
    sh -c 'ip link set lo up && exec "$$@"' alone
# Where the large indexes of measurements stay, to be used again (15 GB at a million passages).
BENCH_DATA ?= bench-data
CHROMIUM ?= /usr/bin/chromium
HOST ?= 127.0.0.1
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help run test test-heavy torture test-clients test-milvus test-ray vendor check format lint types layers bench bench-peers bench-scale quality volume screenshots demo-openwebui lock audit sbom check-deploy clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

run: $(VENV)/.installed ## index seeds/ and serve it on http://127.0.0.1:8000
	$(BIN)/dateline index build seeds
	DATELINE_ARTICLES='["seeds"]' $(BIN)/dateline serve --host $(HOST) --port $(PORT)

test: $(VENV)/.installed ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-heavy: $(VENV)/.installed ## run the tests that are left out of it for their time
	$(BIN)/python -m pytest -m heavy

torture: $(VENV)/.installed ## hold the promises of docs/operations.md to all their tries (an hour and a half)
	$(BIN)/python -m pytest tests/torture --all-tries

test-clients: $(VENV)/.installed ## try the clients for Node, from npm (Node 22 or newer; else name one: NODE=…)
	npm ci --prefix tests/clients --no-audit --no-fund
	npm ci --prefix vendor --no-audit --no-fund
	$(BIN)/python -m pytest tests/clients

test-milvus: $(MILVUS_VENV)/.installed ## hold Milvus to what an index promises: milvus-lite and a server (or MILVUS_URI)
	$(if $(MILVUS_URI),,$(ALONE)) $(MILVUS_VENV)/bin/python -m pytest tests/contract \
	    --backends $(if $(MILVUS_URI),uri,lite$(comma)server)

test-ray: $(RAY_VENV)/.installed ## try encoding on two machines, both on this one, one of which dies (installs 2 GB)
	$(ALONE) $(RAY_VENV)/bin/python -m pytest -m "" tests/bulk

$(RAY_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/pip install --quiet --upgrade pip
	$(RAY_VENV)/bin/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(RAY_VENV)/bin/pip install --quiet --editable '.[dev,ray]'
	@touch $@

vendor: ## bundle what the page uses of its libraries anew (npm)
	npm ci --prefix vendor --no-audit --no-fund
	npm run build --prefix vendor

check: format lint types layers test ## everything that must hold before a commit

format: $(VENV)/.installed
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.installed ## time encoding, starting, chats, the page, costs; compare with a peer (docs/benchmarks.md)
	$(BIN)/python bench/encode.py
	$(BIN)/dateline index build seeds
	$(BIN)/python bench/start.py
	$(BIN)/python bench/search.py --workers 1 2
	$(BIN)/python bench/chat.py
	$(BIN)/python bench/page.py
	$(BIN)/python bench/cost.py
	@$(MAKE) --no-print-directory $(TXTAI_VENV)/.installed || echo "txtai cannot be installed here"
	$(BIN)/python bench/peers.py --peer $(TXTAI_VENV)
	$(BIN)/python bench/report.py

bench-peers: $(VENV)/.installed $(TXTAI_VENV)/.installed ## compare with txtai in one run (installs 2 GB; newsquiz: DATELINE_EVAL)
	$(BIN)/python bench/peers.py --peer $(TXTAI_VENV)
	$(BIN)/python bench/report.py

bench-scale: $(VENV)/.installed ## measure 10,000 to a million passages, and adding to 100,000 (hours; BENCH_DATA)
	$(BIN)/python bench/scale.py --data $(BENCH_DATA)
	$(BIN)/python bench/incremental.py --data $(BENCH_DATA)
	$(BIN)/python bench/report.py

quality: $(VENV)/.installed ## measure reading, copies, quotes, retrieval and answers (judged collections: DATELINE_EVAL)
	$(BIN)/python bench/extraction.py
	$(BIN)/python bench/cleaning.py
	$(BIN)/python bench/duplicates.py
	$(BIN)/python bench/quotes.py
	$(BIN)/dateline index build seeds
	$(BIN)/dateline eval answers tests/quality/seeds --index index
	$(if $(JUDGED),$(BIN)/dateline eval retrieval $(JUDGED),@echo "retrieval skipped: $(EVAL) is not there")
	$(if $(ANSWERED),$(BIN)/dateline eval answers $(ANSWERED) --limit 2000)

# The build's lock leaves out torch: which of its builds is right depends on the machine (TORCH_INDEX).
lock: $(SUPPLY_VENV)/.installed ## name what pyproject.toml needs, to the hash (requirements*.lock)
	$(LOCK) --universal --output-file requirements.lock pyproject.toml
	$(LOCK) --universal $(CLUSTER:%=--extra %) --constraint requirements.lock \
	    --output-file requirements-cluster.lock pyproject.toml
	grep -o '"hatchling==[0-9.]*"' pyproject.toml | tr -d '"' | $(LOCK) --extra build \
	    --constraint requirements.lock --python-platform x86_64-manylinux_2_28 --no-emit-package torch \
	    $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX) --index-strategy unsafe-best-match) \
	    $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS)) \
	    --output-file requirements-build.lock pyproject.toml -

# --strict: a package that nobody can tell anything of fails the audit, and so does a service out of reach.
audit: $(SUPPLY_VENV)/.installed ## look for known vulnerabilities (asks pypi.org, or AUDIT=osv) and unsafe code
	$(SUPPLY_VENV)/bin/bandit --quiet --recursive --configfile pyproject.toml indexer service
	for lock in requirements.lock requirements-build.lock requirements-cluster.lock; do \
	    $(SUPPLY_VENV)/bin/pip-audit --strict --disable-pip --require-hashes -s $(or $(AUDIT),pypi) -r $$lock || exit; \
	done

sbom: $(SUPPLY_VENV)/.installed $(LOCKED_VENV)/.installed ## list what the image serves with, as CycloneDX (dist/sbom.cdx.json)
	@mkdir -p dist
	$(SUPPLY_VENV)/bin/cyclonedx-py environment $(LOCKED_VENV) --pyproject pyproject.toml --output-reproducible \
	    --output-file dist/sbom.cdx.json

check-deploy: $(DEPLOY_VENV)/.installed ## have compose.yaml, the manifests and the alerts read by Docker Compose, kubectl, promtool
	$(DEPLOY_VENV)/bin/python deploy/check.py

$(DEPLOY_VENV)/.installed: deploy/requirements-check.txt
	$(PYTHON) -m venv $(DEPLOY_VENV)
	$(DEPLOY_VENV)/bin/pip install --quiet --requirement deploy/requirements-check.txt
	@touch $@

$(SUPPLY_VENV)/.installed: deploy/requirements-supply.txt
	$(PYTHON) -m venv $(SUPPLY_VENV)
	$(SUPPLY_VENV)/bin/pip install --quiet --requirement deploy/requirements-supply.txt
	@touch $@

$(LOCKED_VENV)/.installed: requirements.lock
	$(PYTHON) -m venv --clear $(LOCKED_VENV)
	$(LOCKED_VENV)/bin/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	@touch $@

volume: $(VENV)/.installed ## build from a large dump: memory, speed, whether the report adds up (DATELINE_EVAL)
	$(BIN)/python bench/volume.py

$(WEBUI_VENV)/.installed: demo/requirements.txt
	$(PYTHON) -m venv $(WEBUI_VENV)
	$(WEBUI_VENV)/bin/pip install --quiet --upgrade pip
	$(WEBUI_VENV)/bin/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(WEBUI_VENV)/bin/pip install --quiet --requirement demo/requirements.txt
	@touch $@

$(MILVUS_VENV)/.installed: pyproject.toml tests/contract/requirements.txt
	$(PYTHON) -m venv $(MILVUS_VENV)
	$(MILVUS_VENV)/bin/pip install --quiet --upgrade pip
	$(MILVUS_VENV)/bin/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(MILVUS_VENV)/bin/pip install --quiet --editable '.[dev,milvus]' --requirement tests/contract/requirements.txt
	@touch $@

$(TXTAI_VENV)/.installed: bench/requirements-txtai.txt
	$(PYTHON) -m venv $(TXTAI_VENV)
	$(TXTAI_VENV)/bin/pip install --quiet --upgrade pip
	$(TXTAI_VENV)/bin/pip install --quiet torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(TXTAI_VENV)/bin/pip install --quiet --requirement bench/requirements-txtai.txt
	@touch $@

screenshots: $(VENV)/.installed ## picture the page for the README (needs chromium)
	$(BIN)/python demo/screenshots.py

demo-openwebui: $(VENV)/.installed ## ask through Open WebUI in Chromium, and picture it (installs 3 GB)
	@test -x $(CHROMIUM) || { echo "there is no $(CHROMIUM): apt-get install chromium, or CHROMIUM=PATH"; exit 1; }
	@$(MAKE) --no-print-directory $(WEBUI_VENV)/.installed
	$(WEBUI_VENV)/bin/python demo/openwebui.py --open-webui $(WEBUI_VENV)/bin/open-webui \
		--dateline $(BIN)/dateline --chromium $(CHROMIUM)

clean: ## remove what the targets made
	rm -rf $(VENV) $(WEBUI_VENV) $(TXTAI_VENV) $(MILVUS_VENV) $(RAY_VENV) bench-data index index-eval dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
