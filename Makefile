# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
export EXR_CORPUS ?=

.DEFAULT_GOAL := help
.PHONY: help demo pipeline function-package test test-fast test-pythons lint format docs dist clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 26

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv; \
	  else echo "Python 3.10 or newer with venv is needed: apt-get install python3 python3-venv" >&2; exit 1; fi; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## make a small show, ingest it, and say what is wrong with it
	$(VENV)/bin/exr-inspector demo

pipeline: $(STAMP)  ## upload, event, function, database: the whole path on this machine
	$(VENV)/bin/python -m tools.pipeline

function-package: $(STAMP)  ## the function's folder with the product as a wheel: what `vastde functions build` packs
	rm -rf dist/function && mkdir -p dist/function
	cp functions/exr_inspector/*.py dist/function
	$(VENV)/bin/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist/function .
	cd dist/function && sed "s#^exr-inspector#./$$(ls *.whl)#" ../../functions/exr_inspector/requirements.txt > requirements.txt

test: lint  ## everything CI runs: lint, types, all tests
	$(VENV)/bin/python -m pytest -n auto

test-fast: $(STAMP)  ## the everyday loop: what is neither slow nor dear
	$(VENV)/bin/python -m pytest -n auto -m 'not slow'

test-pythons:  ## the tests on every supported Python that is installed; ARGS="-m 'not slow'" for the quick ones
	$(PYTHON) -m tools.pythons $(ARGS)

lint: $(STAMP)  ## ruff (lint and format), mypy --strict
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(STAMP)  ## let ruff put the code in form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(STAMP)  ## regenerate the generated parts of the docs
	$(VENV)/bin/python -m tools.docs

dist: $(STAMP)  ## sdist and wheel in dist/, checked as an index would
	rm -f dist/*.tar.gz dist/*.whl
	$(VENV)/bin/python -m build -o dist
	$(VENV)/bin/python -m twine check --strict dist/*.tar.gz dist/*.whl

clean:  ## remove what the targets made
	rm -rf $(VENV) .venvs .venv-sdk-tests demo dist build
