# The whole ritual, on a fresh clone, with Python (3.10 or newer) and make:
#   make demo    run the Aurora ensemble on this machine
#   make test    run the tests, in about six minutes (ARGS="-k addresses" for some of them)
#   make test SLOW=1  run the slow ones, too: real schedulers, other engines, a browser, clouds' stand-ins
#   make portable  run core tests with the portable stand-ins for what only Linux has
#   make check   run linter, formatter, types, layers, words of the glossary
#   make compare  run scripts here and on upstream  (UPSTREAM=/path/to/venv/bin/python)
#   make lowest  run workflows with the oldest accepted dependencies
#   make docs    build the documentation in build/docs/html; a warning is an error
#   make bench   benchmark, next to other libraries    (ARGS="--help" for its options)
#   make chaos   disturb runs on purpose, for minutes  (chaos/README.md)
#   make soak    kill at random for a minute             (ARGS="--seconds 3600")
#   make pictures  take the pictures of the documentation again
#   make load    simulate the managers of a supercomputer (ARGS="--managers 1000")
#   make clean   remove everything these created

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
ARGS ?=
SLOW ?=
# Many tests wait for processes that they have started: one more at a time than there are cores.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

BIN = $(VENV)/bin
READY = $(VENV)/.ready

PORTABLE_TESTS = tests/common/system tests/executors/local tests/executors/test_threads.py \
  $(addprefix tests/dataflow/test_,app_futures.py attempts.py dependencies.py join_apps.py kernel.py memoization.py) \
  tests/dataflow/checkpoints/test_checkpoints.py $(addprefix tests/app/test_,bash_app.py python_app.py) \
  $(addprefix tests/executors/high_throughput/test_htex_,environment.py launch.py scheduling.py walltime.py worker_loss.py) \
  tests/executors/high_throughput/worker/test_fork_server.py

.PHONY: demo test portable check format compare lowest docs bench chaos soak load pictures clean
.DEFAULT_GOAL = test

demo: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" PYTHON="$(abspath $(BIN))/python" examples/aurora/run_demo.sh $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(if $(SLOW),,-m "not slow") $(ARGS)

portable: $(READY)
	PARSL_PORTABLE=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PORTABLE_TESTS) $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/words

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

compare: $(READY)
	PARSL_UPSTREAM="$(UPSTREAM)" $(BIN)/python -m tests.conformance $(ARGS)

lowest:
	.ci/lowest "$(PYTHON)"

docs: $(READY)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -d build/docs/doctrees docs build/docs/html
	@echo "The documentation is in build/docs/html/index.html"

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(READY)
	$(BIN)/python -m pytest chaos --timeout=1200 $(ARGS)
	$(BIN)/python -m pytest tests/fuzz -n auto --timeout=1200 --hypothesis-profile=thorough

soak: $(READY)
	$(BIN)/python -m chaos.soak $(ARGS)

pictures: $(READY)
	PARSL_PICTURES=docs/images $(BIN)/python -m pytest -q tests/cli/test_top_picture.py tests/dashboard/test_pages.py -m "not slow" $(ARGS)

load: $(READY)
	$(BIN)/python -m chaos.load $(ARGS)

clean:
	rm -rf .venv .venv-* .bench .engines .demo build dist runinfo .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache src/*.egg-info
	find src tests benchmarks chaos examples -name __pycache__ -type d -prune -exec rm -rf {} +

# Recreated when pyproject.toml changes. An incomplete environment has no stamp, and is created again.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Parsl needs Python 3.10 or newer; this is $$($(PYTHON) --version 2>&1)." \
	         "Select another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $(READY)
