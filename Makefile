# Every target makes its own environment in .venv first; `make help` lists the targets.

PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

# The oldest torch has no wheels for newer Pythons.
FLOORS_PYTHON ?= python3.11
FLOORS        := build/floors

# Engines of clusters, each in an environment of its own; Spark needs Java 17 or newer.
ENGINES     := dask ray spark
PIP_dask    := dask[dataframe] distributed
PIP_ray     := ray
PIP_spark   := pyspark joblibspark

# What other tools need beside this package, in versions that it is not bound to.
NEIGHBOURS      := build/neighbours
NEIGHBOUR_TESTS := tests/adapters tests/forecasters/neural/test_export.py tests/test_docs.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all test-sample check-floors check-engines check-neighbours lint \
    format experiments bench notebooks docs docs-figures wheel clean

help: ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## forecast a bundled monthly series without training, then hold a contest on it
	@echo "demo: a forecast of 'elnino' (monthly sea surface temperature), without training"
	@$(BIN)/python -m forecast predict elnino --coverage 0.8 --plot forecast-demo.png
	@echo "demo: the same model in a contest with others"
	@$(BIN)/python -m forecast compare elnino --models pre-trained,ets,theta,arima,markov,lstm \
	    --plot contest-demo.png

test: $(READY) ## run the doctests and the quick tests (4 minutes of CPU at most)
	@echo "test: doctests and quick tests"
	@$(BIN)/python -m pytest

test-all: $(READY) ## run the slow tests too, on every core (45 minutes at most on two)
	@echo "test-all: doctests and all tests but the experiments"
	@$(BIN)/python -m pytest -m "not experiment" --numprocesses auto --dist worksteal

test-sample: $(READY) ## run one in twenty of the slow tests, and training in two processes
	@echo "test-sample: one in twenty of the slow tests"
	@$(BIN)/python -m pytest -m "slow and not experiment" --sample 20
	@echo "test-sample: training in two processes, under torchrun"
	@$(BIN)/python -m pytest -m slow -k weights tests/engine/test_ranks.py

# Old releases call what newer releases of their own dependencies deprecate, and torch 2.4 warns of
# its own unpickling: neither is ours to mend.
check-floors: $(FLOORS)/.installed ## run the quick tests with the oldest supported versions (5 GB)
	@echo "check-floors: doctests and quick tests with the versions in $(FLOORS)/floors.txt"
	@PYTHONPATH=. $(FLOORS)/bin/python -m pytest -p no:cacheprovider \
	    -W ignore::DeprecationWarning -W 'ignore:You are using `torch.load`:FutureWarning'

check-engines: $(ENGINES:%=build/engines/%/.installed) ## run parts on dask, Ray and Spark (6 GB)
	@for engine in $(ENGINES); do \
	    echo "check-engines: $$engine"; \
	    PYTHONPATH=. build/engines/$$engine/bin/python -m pytest -p no:cacheprovider -m "" -rs \
	        tests/partitions/test_engines.py -k $$engine || exit 1; \
	done

check-neighbours: $(NEIGHBOURS)/.installed ## run what needs ONNX, sktime, Optuna, MLflow
	@echo "check-neighbours: exported networks, sktime's own checks, docs/neighbours.md"
	@PYTHONPATH=. $(NEIGHBOURS)/bin/python -m pytest -p no:cacheprovider -p no:logging \
	    -m "not experiment" -k "export or sktime or neighbours" $(NEIGHBOUR_TESTS)

lint: $(READY) ## check style, format and types; notebooks too
	@echo "lint: ruff check"
	@$(BIN)/ruff check
	@echo "lint: ruff format"
	@$(BIN)/ruff format --check
	@echo "lint: mypy"
	@$(BIN)/mypy

format: $(READY) ## mend style and format where a tool can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

experiments: $(READY) ## train over several seeds and record the figures as CSV (hours)
	@echo "experiments: this takes long; figures are written as CSV, to be committed"
	@$(BIN)/python -m pytest -m experiment

bench: $(READY) ## time the package with the scripts in benchmarks/
	@for script in $(sort $(wildcard benchmarks/bench_*.py)); do \
	    echo "bench: $$script"; $(BIN)/python $$script || exit 1; \
	done

notebooks: $(READY) ## execute every notebook in a fresh kernel; look at the outputs, commit them
	@$(BIN)/python notebooks/execute.py

docs: $(VENV)/.docs-installed ## build the documentation as a site in build/site
	@echo "docs: building into build/site; open build/site/index.html"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-figures: $(READY) ## draw the figures of the documentation; look at each, commit them
	@$(BIN)/python docs/figures.py

wheel: $(READY) ## build the wheel into dist/
	@echo "wheel: building into dist/"
	@rm -rf dist build/lib
	@$(BIN)/python -m build --wheel --outdir dist >build.log 2>&1 || { cat build.log; exit 1; }

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build build.log dist forecast.egg-info forecast-demo.png contest-demo.png
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.docs-installed: $(READY)
	@echo "install: the tools of the documentation into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(FLOORS)/.installed: pyproject.toml
	@echo "install: the oldest supported versions into $(FLOORS); once, it takes a few minutes"
	@$(FLOORS_PYTHON) -m venv $(FLOORS)
	@$(FLOORS)/bin/python -c 'import tomllib; \
	    project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    floors = project["dependencies"] + project["optional-dependencies"]["parquet"]; \
	    print("\n".join(floors).replace(">=", "=="))' >$(FLOORS)/floors.txt
	@$(FLOORS)/bin/python -m pip install -qq --disable-pip-version-check \
	    --requirement $(FLOORS)/floors.txt hypothesis ipykernel nbclient nbformat polars pytest
	@$(FLOORS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

build/engines/%/.installed: pyproject.toml constraints.txt
	@echo "install: $(PIP_$*) into build/engines/$*; once, it takes a few minutes"
	@$(or $(PYTHON),python3) -m venv build/engines/$*
	@build/engines/$*/bin/python -m pip install -qq --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[parquet]' hypothesis pytest $(PIP_$*)
	@touch $@

$(NEIGHBOURS)/.installed: $(READY) pyproject.toml
	@echo "install: this package and its neighbours into $(NEIGHBOURS); once, it takes a few minutes"
	@$(BIN)/python -m venv $(NEIGHBOURS)
	@$(NEIGHBOURS)/bin/python -m pip install -qq --disable-pip-version-check \
	    "$$(grep '^torch==' constraints.txt)" --editable '.[onnx,sktime]' \
	    hypothesis mlflow optuna polars pytest
	@touch $@

# An interpreter is good if it is new enough and can make an environment (Debian splits that off).
$(READY): pyproject.toml constraints.txt
	@for python in $(or $(PYTHON),python3 python python3.14 python3.13 python3.12 python3.11); do \
	    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	        >/dev/null 2>&1 && break; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "forecast needs Python 3.11 or newer with its venv module; none was found." \
	        "Name one: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    echo "install: making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) || exit 1; \
	fi; \
	echo "install: forecast, torch and the tools into $(VENV); once, it takes a few minutes"; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[dev]'
	@touch $@
