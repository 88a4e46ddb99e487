PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test lint results bench bench-full bench-detect

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/ebm demo

test: install
	$(BIN)/pytest -n auto --dist worksteal

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

results: install
	$(BIN)/python benchmarks/pages.py

.venv/bench: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	touch $@

bench: .venv/bench
	$(BIN)/python benchmarks/bench.py

bench-full: .venv/bench
	$(BIN)/python benchmarks/bench.py --full

bench-detect: .venv/bench
	$(BIN)/python benchmarks/detect.py
