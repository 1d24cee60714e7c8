# Everything a person does with this checkout, one command each. `make help` lists them.
PORT ?= 8787
DATA ?= data
WORKERS ?= 1
DEMO ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary=:all: --require-hashes
# Wheels only: the machine needs no compiler. The project itself is linked, not copied.
LINK := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .

.PHONY: up test test-long check fmt bench docs lock clean help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## / — /' | sort

# With DEMO=1, people who talk come in the background once the server is ready; without it they give up by themselves.
up: $(VENV)/runtime ## start a whole Aparté here: PORT=8787 DATA=data WORKERS=1; DEMO=1 with people in it
	@$(if $(filter-out 0,$(DEMO)),$(BIN)/aparte --server http://127.0.0.1:$(PORT) demo --folder "$(DATA)/demo" --wait 120 & )\
	APARTE_PARENT_PID=$$PPID exec $(BIN)/aparte up --port $(PORT) --data $(DATA) --workers $(WORKERS) --follow-parent

test: check ## run every check and test
	@$(BIN)/python -m pytest -m "not long" -n logical --maxprocesses 4

test-long: $(VENV)/dev ## run what takes longer than CI may: kills, mutations, long journeys
	@$(BIN)/python -m pytest -m long

check: $(VENV)/dev ## lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

fmt: $(VENV)/dev ## format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(VENV)/runtime ## measure: BENCH="room idle history catchup"
	@for what in $(or $(BENCH),room idle history catchup); do $(BIN)/aparte bench $$what || exit 1; done

docs: $(VENV)/dev ## renew the generated documents
	@$(BIN)/python -m tools.docs

lock: $(VENV)/dev ## renew locks/ from pyproject.toml
	@sh tools/lock

clean: ## remove the environment and caches; never the data folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: $(VENV)/bin/python locks/runtime.txt pyproject.toml
	@echo "Installing what Aparté needs (once) …" && $(PIP) -r locks/runtime.txt && $(LINK) && touch $@

$(VENV)/dev: $(VENV)/runtime locks/dev.txt
	@echo "Installing what the tests need (once) …" && $(PIP) -r locks/dev.txt && touch $@
