# Everything there is to do here. Each target sets up what it needs; nothing else is to be run first.
#
#   make PYTHON=python3.13      another Python (3.11 or later)
#   make CONSTRAINTS=           the newest versions instead of the tested ones

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready
# The one way to Node.js: the system's, or PyPI's where there is none.
NPM := $(BIN)/python hatch_build.py npm
WITH := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

.DEFAULT_GOAL := help
.PHONY: help demo test check format dev ui e2e screenshots bench docs clean

# What can be done.
help:
	@awk '/^# /{said=substr($$0,3)} /^[a-z0-9]+:/{split($$1,t,":"); printf "  make %-12s %s\n", t[1], said}' Makefile

# The main job on this machine: broker, workers, traffic, and the console at http://127.0.0.1:5555.
demo: ui
	@exec $(BIN)/celeryscope demo

# All tests: the page's, then Python's (unit, contract, integration, Chromium).
test: ui
	$(NPM) test
	$(BIN)/python -m checks.beside

# Everything that can be checked without running the program.
check: ui
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m checks.advisories
	$(NPM) run check

# Put the sources in shape.
format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Work on the page: the demo, and Vite over it with hot reload.
dev: ui
	@$(BIN)/celeryscope demo & demo=$$!; trap 'kill $$demo; wait $$demo' EXIT; $(NPM) run dev

# Build the page if its sources changed.
ui: $(READY)
	@$(BIN)/python hatch_build.py

# Only the tests that drive Chromium.
e2e: ui
	$(BIN)/python -m pytest tests/e2e

# The pictures of the documentation, from the demo and the gallery; needs Chromium.
screenshots: ui
	$(NPM) run screenshots

# What we claim to be fast, measured beside the tools we compare ourselves with.
bench: ui
	$(BIN)/python -m benchmarks

# Write what is made from tables: pages of docs/reference, the dashboards, deploy/.
docs: $(READY)
	$(BIN)/python -m celeryscope.config > docs/reference/settings.md
	$(BIN)/python -m celeryscope.metrics.catalog > docs/reference/metrics.md
	$(BIN)/python -m celeryscope.control > docs/reference/commands.md
	$(BIN)/python -m celeryscope.web.auth.policy > docs/reference/policy.md
	$(BIN)/python -m dashboards
	$(BIN)/python -m celeryscope.stack deploy/compose
	$(BIN)/python deploy/kubernetes/prometheusrule.py

# Remove everything that make made.
clean:
	rm -rf $(VENV) ui/node_modules src/celeryscope/web/dist dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The virtual environment. Nothing is asked of the network while these files stay as they are.
$(READY): pyproject.toml hatch_build.py $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Celeryscope needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another: make PYTHON=python3.13" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(PIP) install --quiet $(WITH) --group dev
	$(BIN)/python hatch_build.py
	$(PIP) install --quiet $(WITH) --no-build-isolation --editable '.[demo,oidc,postgres,parquet]'
	@touch $@
