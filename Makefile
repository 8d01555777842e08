# Two commands do all the set-up on a machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Two more than there are processors: many tests wait for processes and servers of their own.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 1) + 2 )))

.DEFAULT_GOAL := help
.PHONY: help demo test pytest lint types contracts wheel pipelines docs bench soak e2e-freqtrade clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml requirements/constraints.txt requirements/demo.txt
	$(PIP) install --require-hashes --no-deps -r requirements/demo.txt
	$(PIP) install -c requirements/constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install -c requirements/constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.demo ## Run the main job on the sandbox: a dry run, an apply, a second dry run
	@$(BIN)/reconcile demo

# Two at a time: the tests, and one after the other what mostly waits for installations.
test: lint ## Everything CI runs
	@$(MAKE) --no-print-directory --jobs 2 pytest types contracts e2e-freqtrade wheel pipelines

pytest: $(VENV)/.dev ## The tests alone
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.dev ## Style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## Types
	$(BIN)/mypy
	$(BIN)/mypy action/*.py

contracts: $(VENV)/.dev ## Which room may import which
	$(BIN)/lint-imports

wheel: $(VENV)/.dev ## Build the wheel, install it into an empty environment, run it once
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel . > build/wheel/build.log 2>&1 || { cat build/wheel/build.log; exit 1; }
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip --disable-pip-version-check --quiet install -c requirements/constraints.txt build/wheel/*.whl
	cd build/wheel && venv/bin/reconcile --version
	cd build/wheel && venv/bin/reconcile validate -f "$$(venv/bin/python -c 'from reconciler.resources import folder; print(folder("examples"))')/connections.yaml"

pipelines: $(VENV)/.dev ## Install as the action and as pre-commit do, and run what they run
	rm -rf build/pipelines && mkdir -p build/pipelines
	PATH="$(abspath $(BIN)):$$PATH" bash action/install.sh "$(CURDIR)" "$(CURDIR)/build/pipelines/venv"
	build/pipelines/venv/bin/reconcile validate -f examples/connections.yaml
	PATH="$(abspath $(BIN)):$$PATH" bash .ci/hooks "$(CURDIR)" "$(CURDIR)/build/pipelines"

# An environment of its own: freqtrade and this tool need not agree on the versions of what both use. It is
# kept for the next checkout on this machine, since it takes 800 MB and two minutes.
FREQTRADE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reconciler-tests/freqtrade-$(firstword $(shell sha256sum requirements/freqtrade.txt))

$(FREQTRADE)/.done: requirements/freqtrade.txt
	$(PYTHON) -m venv --clear $(FREQTRADE)
	$(FREQTRADE)/bin/python -m pip --disable-pip-version-check --quiet install -r requirements/freqtrade.txt
	@touch $@

e2e-freqtrade: $(VENV)/.dev ## A real freqtrade on the sandbox, each step with its time (installs it once: 800 MB)
	@if $(MAKE) --no-print-directory $(FREQTRADE)/.done; then \
		RECONCILER_TEST_FREQTRADE=$(FREQTRADE)/bin/freqtrade $(BIN)/python -m pytest -s -q tests/e2e/test_freqtrade.py; \
	else \
		echo "SKIPPED: freqtrade cannot be installed here, so nothing was tried on a real one"; \
	fi

docs: $(VENV)/.dev ## Write the generated pages anew
	$(BIN)/python -m reconciler.checks.docs > docs/checks.md
	$(BIN)/python -m reconciler.desired.docs > docs/configuration.md
	$(BIN)/python -m reconciler.exchanges.docs > docs/exchanges/README.md

bench: $(VENV)/.dev ## Print the benchmarks' figures
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/review.py
	$(BIN)/python bench/pass.py --exchanges all
	$(BIN)/python bench/pass.py --exchanges all --failing 100

soak: $(VENV)/.dev ## Half an hour: the loop over 500 connections for ten minutes, longer profiles of the generated tests, and new examples
	$(BIN)/python bench/soak.py
	MACHINE_STEPS=50000 $(BIN)/python -m pytest -n $(WORKERS) tests/e2e/test_state_machine.py
	CRASH_POINTS=10000 $(BIN)/python -m pytest -n $(WORKERS) tests/crash
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-seed=random --ignore tests/crash --ignore tests/e2e/test_state_machine.py

clean: ## Remove what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
