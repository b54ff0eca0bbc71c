# Everything runs in .venv, which the first target creates. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
PY := .venv/bin/python
PORT ?= 8000
JOBS ?= 2
WORKERS ?= 2
export PYTHONUTF8 := 1

.PHONY: help book serve test lint format bench results clean install install-test assets

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: install assets ## execute the chapters that changed, build the site, print the page to open
	@$(PY) tools/execute.py --profile book --jobs $(JOBS)
	@$(PY) tools/build.py

serve: book ## build the book and serve it on http://localhost:8000 (PORT=…)
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: install-test assets ## run everything: library, chapters (smoke), site, browser
	@$(PY) tools/vendor_assets.py --tests
	@$(PY) tools/browser.py
	@rm -rf _build/smoke _build/stage
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --durations=15

lint: install-test ## ruff, mypy, and the round trip text → notebook → text
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -q tests/notebooks/test_roundtrip.py

format: install-test ## let ruff and jupytext write code and chapters in their one form
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) tools/canonical.py

bench: install-test ## measure throughput against the reference and against this machine
	$(PY) -m benchmarks

results: install ## recompute every chapter with the book profile, filling in missing stored points
	$(PY) tools/execute.py --profile book --force --jobs $(JOBS)

clean: ## remove what was built (keeps .venv and the fetched browser assets)
	rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis book/*.ipynb
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

install:
	@bash tools/environment.sh book

install-test:
	@bash tools/environment.sh book,test

assets: install
	@$(PY) tools/vendor_assets.py
