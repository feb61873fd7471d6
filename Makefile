# Everything here starts from a bare clone: the first target that needs it makes .venv.
# `make help` lists the targets.

VENV := .venv
PYTHON_IN_VENV := $(VENV)/bin/python
ENVIRONMENT := $(VENV)/.complete
BUILD := build
# What the benchmarks compare with, apart from .venv.
PEERS := $(BUILD)/peers/.complete
# Ray, Spark and what loads their results, over .venv; and img2dataset.
ENGINES := $(BUILD)/engines/.complete

# The page's sources. Nothing else here needs Node; scripts/make-browser installs it on Debian.
WEB := clients/web
MODULES := $(WEB)/node_modules/.package-lock.json

# Two processes, as CI has two cores; each starts its own PostgreSQL.
TEST_PROCESSES ?= 2
# Extra words for the command behind a target: `make demo ARGS=--without-sscd`.
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint types imports schema-check migrations-check licences-check \
	settings-check bench bench-web serve web web-test web-e2e soak schema licences settings lock clean environment \
	engines engines-test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(ENVIRONMENT): requirements.lock pyproject.toml clients/python/pyproject.toml scripts/make-environment
	@PYTHON="$(PYTHON)" scripts/make-environment

environment: $(ENVIRONMENT) ## Make .venv out of requirements.lock

demo: $(ENVIRONMENT) ## Register, screen, withdraw and screen again on real photographs
	$(PYTHON_IN_VENV) -m demo $(ARGS)

test: $(ENVIRONMENT) ## Run the tests (not the long rounds)
	$(PYTHON_IN_VENV) -m pytest -q -m "not soak" -n $(TEST_PROCESSES) $(ARGS)

check: lint types imports schema-check migrations-check licences-check settings-check ## Style, types, import rules, drift

lint: $(ENVIRONMENT)
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .

types: $(ENVIRONMENT)
	$(PYTHON_IN_VENV) -m mypy

imports: $(ENVIRONMENT)
	$(VENV)/bin/lint-imports --no-cache

schema-check: $(ENVIRONMENT)
	@mkdir -p $(BUILD)
	$(PYTHON_IN_VENV) -m registry.cli schema > $(BUILD)/schema.graphql
	diff -u schema.graphql $(BUILD)/schema.graphql

migrations-check: $(ENVIRONMENT)
	$(PYTHON_IN_VENV) -m registry.store.migrate check

licences-check: $(ENVIRONMENT)
	$(PYTHON_IN_VENV) scripts/third_party.py --check

settings-check: $(ENVIRONMENT)
	$(PYTHON_IN_VENV) scripts/settings_table.py --check

bench: $(ENVIRONMENT) $(PEERS) ## Measure what the README's performance table is made of
	$(PYTHON_IN_VENV) -m benchmarks $(ARGS)

$(PEERS): benchmarks/peers.lock scripts/make-peers | $(ENVIRONMENT)
	scripts/make-peers

engines: $(ENGINES) ## Make an environment with Ray, Spark and img2dataset beside .venv

$(ENGINES): tests/engines/engines.lock tests/engines/downloader.lock scripts/make-engines | $(ENVIRONMENT)
	scripts/make-engines

engines-test: $(ENGINES) ## Lose nodes of Ray and Spark clusters in the middle of a screening
	$(BUILD)/engines/bin/python -m pytest -q -m engines tests/engines $(ARGS)

serve: $(ENVIRONMENT) ## Serve a registry on the embedded default
	$(PYTHON_IN_VENV) -m registry.cli serve $(ARGS)

$(MODULES): $(WEB)/package.json $(WEB)/package-lock.json
	@scripts/make-browser node
	cd $(WEB) && npm ci
	@touch $@

web: $(MODULES) ## Build the page that the registry serves at / (needs Node 20)
	cd $(WEB) && npm run build

web-test: $(ENVIRONMENT) $(MODULES) ## Check and test the page's code (needs Node 20 and Chromium)
	@scripts/make-browser
	cd $(WEB) && npm run check && npm test

web-e2e: $(ENVIRONMENT) web ## Try the page in Chromium against a real registry
	@scripts/make-browser
	cd $(WEB) && npm run e2e
	$(PYTHON_IN_VENV) -m pytest -q tests/web

bench-web: $(ENVIRONMENT) web ## Measure the page: ten photographs, and how large it is
	@scripts/make-browser
	@cd $(WEB) && npm run bench
	@cat $(BUILD)/bench-web.md

soak: $(ENVIRONMENT) ## Run the long crash and load rounds
	$(PYTHON_IN_VENV) -m pytest -q -m soak $(ARGS)

schema: $(ENVIRONMENT) ## Write schema.graphql anew
	$(PYTHON_IN_VENV) -m registry.cli schema > schema.graphql

licences: $(ENVIRONMENT) ## Write THIRD_PARTY.md anew
	$(PYTHON_IN_VENV) scripts/third_party.py

settings: $(ENVIRONMENT) ## Write the settings' table in docs/operating.md anew
	$(PYTHON_IN_VENV) scripts/settings_table.py

lock: $(ENVIRONMENT) ## Make requirements.lock anew from both pyproject.toml
	PYTHON="$(PYTHON_IN_VENV)" scripts/make-lock

clean: ## Remove everything that is made, .venv too
	rm -rf $(VENV) $(BUILD) dist demo-out bench-out .hypothesis .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache $(WEB)/node_modules registry/web_assets
