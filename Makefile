.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install install-dev real-tools run test check format lock bench oracle fuzz cloud docs clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src/ecns
	@touch $@

$(VENV)/.installed-dev: requirements/dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

install: $(VENV)/.installed ## install ECNS into .venv

install-dev: $(VENV)/.installed-dev ## install ECNS and what its tests and checks need into .venv

real-tools: | $(VENV)/bin/python ## install Debian's skopeo and docker-registry for the tests that use them
	@tests/real/registry/install.sh $(VENV)/.real-tools

run: install ## serve ECNS on its embedded default
	$(BIN)/ecns serve

test: install-dev real-tools ## run every check and every test
	$(MAKE) --no-print-directory check
	$(BIN)/pytest -n 2 --dist loadgroup

check: install-dev ## lint, types, import walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m benchmarks --help > /dev/null

format: install-dev ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## pin the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group build pyproject.toml -o requirements/runtime.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml -c requirements/runtime.lock -o requirements/dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		requirements/openstack.in -o requirements/openstack.lock

bench: install-dev ## measure ECNS against direct calls to the same backends
	$(BIN)/python -m benchmarks

oracle: install-dev ## compare the stand-ins with what was recorded of a real Kubernetes and a real Harbor
	$(BIN)/python -m tests.embedded.kubernetes.oracle
	$(BIN)/python -m tests.embedded.harbor.oracle

fuzz: install-dev ## send what the OpenAPI document allows, and what it does not, for an hour (MINUTES=…)
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),60)

cloud: install-dev ## run real OpenStack services until Ctrl-C, for ECNS and clients to try (docs/cloud.md)
	$(BIN)/python -m tests.real.openstack

docs: install ## write the OpenAPI document and the tables that are made from the code
	$(BIN)/ecns openapi > docs/openapi.json
	$(BIN)/ecns policy --table > docs/rights.md

clean: ## remove what was installed and cached
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
