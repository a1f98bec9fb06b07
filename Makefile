# `make train` and `make test` are all a newcomer needs: Python 3.11 or newer, make and a package index.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test check parity bench clean

train: .venv/installed
	@RUN=$$($(BIN)/nncli train configs/penguins.yaml) && \
	$(BIN)/nncli predict "$$RUN" data/penguins.csv --keep species --proba -o "$$RUN/predictions.csv" --force && \
	echo "predictions: $$RUN/predictions.csv" && \
	$(BIN)/nncli evaluate "$$RUN" data/penguins.csv

test: check
	$(BIN)/python -m pytest -n auto

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The reference numbers in tests/reference, made anew by PyTorch and compared. Wants torch in the environment.
parity: .venv/dev
	$(BIN)/python -c "import torch" || $(BIN)/pip install --quiet torch
	$(BIN)/python tests/reference/make_reference.py --check

# Times nncli beside whatever peers are installed.
bench: .venv/dev
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/textbook.py

clean:
	rm -rf .venv

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/dev: .venv/installed
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@
