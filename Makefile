# `make` alone lists the targets; each builds what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo fast test check format bench docs requirements clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r requirements/dev.txt; \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps -e .; \
	else \
		$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $(STAMP)

demo: $(STAMP) ## run the whole relay on loopback and show what it does (ARGS=--keep leaves it running)
	@$(BIN)/relay demo $(ARGS)

fast: $(STAMP) ## compile what mail passes through: a quarter less CPU for each message (needs gcc, Python.h)
	$(BIN)/python -m compiling

test: $(STAMP) ## run all tests (ARGS are given to pytest)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(STAMP) ## format, lint, types, imports and unit tests; under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/properties

bench: $(STAMP) ## measure the relay against Postfix in one run (needs Debian's postfix; ARGS="--rounds 5")
	-$(BIN)/python -m compiling
	$(BIN)/python -m bench.run $(ARGS)

format: $(STAMP) ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## print the pages that come from the code: sample, settings, schema
	$(BIN)/python -m relay.config.reference .
	$(BIN)/python -m relay.cli.reference docs/commands.md
	$(BIN)/python -m relay.status > docs/replies.md
	$(BIN)/python -m relay.metrics > docs/metrics.md
	$(BIN)/python -m relay.maillog.reference > docs/events.md
	$(BIN)/python -m relay.delivery.reference docs/delivery.md
	$(BIN)/python -m relay.queue.reference docs/queue.md
	$(BIN)/python -m tests.support.house

requirements: ## pin the requirements anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make requirements" --extra fast pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make requirements" --extra fast --extra dev pyproject.toml -o requirements/dev.txt

clean: ## remove what was built
	rm -rf $(VENV) relay/_compiled dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage node_modules
