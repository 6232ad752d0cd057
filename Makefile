# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
CHECKERS := $(VENV)/.installed-deploy-check
export EXR_CORPUS ?=

.DEFAULT_GOAL := help
.PHONY: help demo pipeline function-package test test-fast test-pythons lint format docs constraints deploy-check dist clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 26

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv; \
	  else echo "Python 3.10 or newer with venv is needed: apt-get install python3 python3-venv" >&2; exit 1; fi; }
	@test ! -L $(VENV) || { echo "$(VENV) is a link to another environment, which would be emptied; remove it" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## create a small show with damaged files, ingest it and report its problems
	$(VENV)/bin/exr-inspector demo

pipeline: $(STAMP)  ## run upload, event, function, database, metrics and an outage on this machine
	$(VENV)/bin/python -m tools.pipeline

function-package: $(STAMP)  ## build dist/function, the input of `vastde functions build`
	rm -rf dist/function && mkdir -p dist/function
	cp functions/exr_inspector/*.py dist/function
	$(VENV)/bin/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist/function .
	cd dist/function && sed "s#^exr-inspector#./$$(ls *.whl)#" ../../functions/exr_inspector/requirements.txt > requirements.txt

# Programs that check manifests: 130 MB, so only this target installs them. promtool is in a package of Debian and
# Ubuntu, which is unpacked and not installed, so that no server is started.
$(CHECKERS): pyproject.toml $(STAMP)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -e '.[deploy-check]'
	@command -v promtool >/dev/null || ! command -v apt-get >/dev/null || { \
	  folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
	  { apt-get download -qq prometheus 2>/dev/null || { \
	      [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get download -qq prometheus; }; } && \
	  dpkg-deb -x prometheus_*.deb "$(CURDIR)/$(VENV)/prometheus" || { \
	    echo "promtool cannot be downloaded: apt-get install prometheus, or put promtool on the PATH" >&2; exit 1; }; }
	@touch $@

deploy-check: $(CHECKERS)  ## check the manifests, rules and the dashboard in deploy/ without a network
	@# Without apt-get, promtool has to be on the PATH, or its files are not checked.
	$(VENV)/bin/python -m tools.deploy_check $$(command -v apt-get >/dev/null || echo --allow-missing promtool)

test: lint deploy-check  ## what CI runs: lint, types, manifests and all tests
	$(VENV)/bin/python -m pytest -n auto --dist worksteal

test-fast: $(STAMP)  ## all tests but the slow ones
	$(VENV)/bin/python -m pytest -n auto --dist worksteal -m 'not slow'

test-pythons:  ## all tests on every supported Python installed here; ARGS="-m 'not slow'" for the fast ones
	$(PYTHON) -m tools.pythons $(ARGS)

lint: $(STAMP)  ## ruff (lint and format), mypy --strict
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(STAMP)  ## fix lint and format with ruff
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(STAMP)  ## regenerate the generated parts of the docs, and of deploy/
	$(VENV)/bin/python -m tools.docs
	$(VENV)/bin/python -m tools.deploy

constraints: $(STAMP)  ## write deploy/constraints.txt: the installed versions of what the image needs
	$(VENV)/bin/python -m tools.constraints

dist: $(STAMP)  ## build sdist and wheel in dist/ and check their metadata
	rm -f dist/*.tar.gz dist/*.whl
	$(VENV)/bin/python -m build -o dist
	$(VENV)/bin/python -m twine check --strict dist/*.tar.gz dist/*.whl

clean:  ## remove everything the targets created
	rm -rf $(VENV) .venvs .venv-sdk-tests demo dist build
