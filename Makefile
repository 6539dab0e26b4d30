# daypass. `make` lists what there is to make.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
VAR ?= var
BIN := .venv/bin
# Tests run in as many processes as there are processors (JOBS), and those that must not, after them in one.
JOBS ?= auto
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder
NPM := tests/journeys/sdk-js/node_modules

.PHONY: help run test interop lint bench docs venv lock clean interop-packages unzip-package

help: ## this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-9s %s\n", $$1, $$2}'

venv: .venv/.ready ## only the environment, .venv/, from requirements.txt

.venv/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "daypass needs Python 3.11 or later; say which with PYTHON=, e.g. make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

run: venv ## the broker on http://localhost:$(PORT) with a demo directory and an AWS double; Ctrl-C ends it
	@$(BIN)/python -m demo.run --port $(PORT) --var $(VAR)

test: venv ## the whole suite, on what a fresh machine has
	$(BIN)/python -m pytest -m "not interop and not alone" $(SPREAD)
	$(BIN)/python -m pytest -m "not interop and alone"

interop: venv interop-packages .venv-interop/.ready $(NPM)/.ready ## the suite against Chromium, and providers and AWS clients from packages
	$(BIN)/python -m pytest -m "interop and not alone" $(SPREAD)
	$(BIN)/python -m pytest -m "interop and alone"

# The AWS CLI: v1 pins what the broker's own environment has newer; v2 comes as a Lambda layer within a wheel.
.venv-interop/.ready: requirements-interop.txt | unzip-package
	rm -rf .venv-interop
	$(PYTHON) -m venv .venv-interop
	.venv-interop/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-interop.txt
	cd .venv-interop && tar -xzf lib/python3*/site-packages/aws_cdk/asset_awscli_v2/_jsii/*.tgz package/lib/layer.zip && \
	  unzip -q package/lib/layer.zip 'awscli/v2/[0-9]*/dist/*' -x '*/examples/*' && \
	  mv awscli/v2/[0-9]*/dist aws-v2 && rm -r package awscli lib/python3*/site-packages/aws_cdk && aws-v2/aws --version
	@touch $@

# Node.js clients. The lock names no registry, so npm takes the one that it is set up for.
$(NPM)/.ready: tests/journeys/sdk-js/package-lock.json | interop-packages
	cd $(dir $(NPM)) && npm ci
	@touch $@

interop-packages:
	@$(call packages,chromium:chromium xmlsec1:xmlsec1 pg_ctlcluster:postgresql tmux:tmux faketime:faketime curl:curl unzip:unzip node:nodejs npm:npm)

unzip-package:
	@$(call packages,unzip:unzip)

# Of the PROGRAM:PACKAGE pairs in $(1), install what is missing.
define packages
missing=""; \
	for pair in $(1); do \
	  command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	fi
endef

lint: venv ## style, types, import rules, Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

bench: venv ## figures, as ratios to a floor measured in the same run
	-@$(MAKE) --no-print-directory .venv-bench/.ready .venv-interop/.ready # without them, it has less to compare with
	@for script in bench/[a-z]*.py; do echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" || exit 1; done

# Credential helpers that the bench compares with; an environment of their own, for what they pin.
.venv-bench/.ready: requirements-bench.txt
	rm -rf .venv-bench
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

docs: venv ## documentation that is made from the code, and its links checked
	$(BIN)/python -m app config schema --write docs/reference/schema
	$(BIN)/python -m docs.generate

lock: ## requirements*.txt anew, from the .in files
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements.in -o requirements.txt
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements.txt requirements-server.in -o requirements-server.txt
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --excludes <(printf '%s\n' aws-cdk-lib constructs jsii publication) requirements-interop.in -o requirements-interop.txt
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements-bench.in -o requirements-bench.txt
	rm -rf .venv-lock

clean: ## remove the environment and the demo's state
	rm -rf .venv .venv-interop .venv-bench $(NPM) var build
