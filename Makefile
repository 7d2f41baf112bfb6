# Everything a developer or a first-time user runs. `make help` lists it. Needs Python 3.11 or later and an index of
# Python packages; everything is installed into .venv from the hashed lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --override requirements-overrides.txt --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help run test test-containers faults bench lint contract format lock upgrade clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

run: $(VENV)/run.stamp  ## serve the shipped models on http://127.0.0.1:8000, with an embedded Valkey
	@exec $(BIN)/penstock up

test: $(VENV)/dev.stamp  ## run every test; they start the servers they need, and stop them
	$(BIN)/python -m pytest

# BASE and REDIS_IMAGE: what the images are built on, and the Redis that is run; BUILD_NETWORK: `host`, where builds reach
# the package index only so. REQUIRE_ENGINE=1: a missing engine is a failure.
test-containers: $(VENV)/dev.stamp  ## build the images and try docker-compose.yml, where a container engine answers
	$(BIN)/python -m pytest tests/containers

# SEED, FAULTS, TASKS, PACE (faults a second), SECONDS (ends it whatever the counts are), SERVER (valkey or redis).
faults: $(VENV)/dev.stamp  ## kill, freeze, cut off and crash the real system under load: 1000 faults in 20 minutes
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(TASKS),--tasks $(TASKS)) $(if $(PACE),--pace $(PACE)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SERVER),--server $(SERVER))

# ARGS: --quick, --only NAME,... , --json FILE. Each peer gets an environment of its own in .bench, on first use.
bench: $(VENV)/dev.stamp  ## measure Penstock beside its ceilings and what people use instead: an hour
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/dev.stamp  ## ruff, mypy and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# With a key and a rate, whoever they are for: so the copy has every answer that there can be.
contract: $(VENV)/dev.stamp  ## write docs/openapi.json anew, which a test compares with what the API says of itself
	@PENSTOCK_API_KEYS="anyone:$$(printf '0%.0s' $$(seq 64))" PENSTOCK_RATE_LIMIT=100/minute \
		$(BIN)/penstock api --openapi > docs/openapi.json

format: $(VENV)/dev.stamp  ## let ruff format the code and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# --no-deps: a lock names every package; and rapidocr's wish for opencv-python with a screen is left out on purpose.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing from requirements.lock into $(VENV)"
	$(PIP) install --no-deps --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing from requirements-dev.lock into $(VENV)"
	$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Penstock needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

lock: $(VENV)/dev.stamp  ## write the lock files anew from pyproject.toml, keeping the versions they name
	$(LOCK) pyproject.toml --extra all --extra build -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra api --extra trace -c requirements.lock -o requirements-api.lock
	$(LOCK) pyproject.toml --extra worker --extra trace -c requirements.lock -o requirements-worker.lock
	$(LOCK) pyproject.toml --extra worker --extra trace --extra models -c requirements.lock -o requirements-models.lock
	for each in bench/contenders/*/requirements.in; do $(LOCK) $$each -o $${each%.in}.lock || exit 1; done

upgrade: | $(VENV)/bin/python  ## forget the locked versions, then lock the newest
	rm -f requirements*.lock bench/contenders/*/requirements.lock
	$(PIP) install uv
	$(MAKE) -o $(VENV)/dev.stamp lock

clean:  ## remove what was installed and generated
	rm -rf $(VENV) .bench build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
