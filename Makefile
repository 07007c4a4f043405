# `make check` is what .ci/run runs after installing.
PYTHON ?= python3

.PHONY: install check test stores lint types imports docs bench bench-forensics peers soak simulate kills

install:
	$(PYTHON) -m pip install -e ".[dev]"

check: test lint types imports docs

test:
	$(PYTHON) -m pytest
	$(PYTHON) -m pytest -q -m "long and not both_stores"

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

imports:
	lint-imports

docs:
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench:
	$(PYTHON) -m benchmarks.report $(BENCH)

bench-forensics:
	$(PYTHON) -m benchmarks.forensics $(BENCH)

peers:
	$(PYTHON) -m benchmarks.peers $(PEERS)

stores:
	$(PYTHON) -m pytest -q -m both_stores

soak:
	$(PYTHON) -m benchmarks.soak $(SOAK)

simulate:
	$(PYTHON) -m redrive simulate --runs 10000 $(SIMULATE)

kills:
	$(PYTHON) -m benchmarks.kills $(KILLS)
