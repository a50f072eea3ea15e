# `make help` lists what there is. Needs python3 >= 3.11, git and make; uses uv where it is on the PATH.

PYTHON ?= python3
PACKAGE := project
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
INSTALLED := $(VENV)/.installed
RAW := data/01_raw
LINTED := src/$(PACKAGE) tests notebooks

# Where it is set, each command would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install data train test pytest test-slow check ui repro candidate release watch retrain image lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Create .venv from requirements.lock

# Everything in the lock, extras included, so that one environment serves all of the project.
# Reinstalls only when the lock or pyproject.toml has changed. Bytecode is left to be made when it is imported.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
ifdef UV
	$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e .
else
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
endif
	@touch $@

data: $(INSTALLED) ## Fetch the raw tables that are missing from the DVC remotes
	@$(BIN)/python -c 'import pathlib, sys; sys.exit(any(not p.with_suffix("").exists() for p in pathlib.Path("$(RAW)").glob("*.dvc")))' \
		|| $(BIN)/dvc pull --quiet $(RAW)/*.dvc

train: data ## Install, fetch the data, train and register a model
	@$(BIN)/kedro run --pipeline=train

test: data ## Check the code and run the tests
	@$(MAKE) --no-print-directory --jobs=2 check pytest

pytest:
	@$(BIN)/pytest

# One process more than there are processors, because many of these tests wait for servers.
test-slow: data ## Run the tests that train many models or start many processes
	@$(BIN)/pytest -m slow --numprocesses=$$(($$(getconf _NPROCESSORS_ONLN) + 1)) || [ $$? -eq 5 ]  # 5: there are none

check: $(INSTALLED) ## Lint and check types; name edited library files
	@$(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/ruff format --check --quiet $(LINTED) || { echo "formatting differs: run $(BIN)/ruff format $(LINTED)"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m kedro_tabular.lineage.release

ui: $(INSTALLED) ## Show runs and models in the browser
	@$(BIN)/kedro ui

IMAGE = $(PACKAGE):$(shell git rev-parse --short HEAD)
# --- What CI runs, and a person can type: Jenkinsfile, .github/workflows ---

MAIN := origin/main
repro: data
	@KEDRO_ENV= PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro --quiet

candidate: repro ## Train with DVC, and judge the model against the champion; registers nothing with the server
	@$(BIN)/dvc metrics diff --md $(MAIN) > data/08_reporting/metrics.md && cat data/08_reporting/metrics.md
	@$(BIN)/kedro run --pipelines=evaluation,packaging --params=packaging.register=false
	@$(BIN)/kedro gate

release: repro ## Register the model that DVC has trained, and promote it as conf/ says
	@$(BIN)/kedro run --pipelines=evaluation,packaging
	@$(BIN)/kedro gate

watch: $(INSTALLED) ## Monitor the served model; fails on an alert
	@$(BIN)/kedro run --pipeline=monitoring --params=fail_on=alert

retrain: ## Train with the newest data, and release
	@$(BIN)/dvc update --quiet $(RAW)/*.dvc 2> /dev/null || $(BIN)/dvc pull --quiet $(RAW)/*.dvc
	@$(MAKE) --no-print-directory release

image: ## Build the image of the service with docker, podman or buildah
	@test -f deploy/Containerfile || { echo "This project was copied without deploy/: there is no image."; exit 1; }
	@for engine in docker podman buildah; do \
		$$engine info > /dev/null 2>&1 && exec $$engine build --file deploy/Containerfile --target service --tag $(IMAGE) .; \
	done; echo "None of docker, podman and buildah works here: install one, or start its daemon."; exit 1

PIN = uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
IMAGES := $(basename $(wildcard deploy/*.in deploy/*/*.in))  # their packages are a part of the lock

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	$(PIN) --upgrade --all-extras pyproject.toml -o requirements.lock
	@for image in $(IMAGES); do $(PIN) --constraint requirements.lock $$image.in -o $$image.lock; done

# What the stages of dvc.yaml write, and what `train` writes beside it. Not the registry, the log of predictions with
# its outcomes, or the state of the alerts: nothing makes them again.
STAGE_OUTPUTS = awk '/^    [a-z]+:/ {made = $$1 ~ /^(outs|metrics|plots):$$/} \
	made && $$1 == "-" && $$2 ~ /^data\// {sub(/:$$/, "", $$2); print $$2}' dvc.yaml
BESIDE := data/06_models/registered.json data/08_reporting/gate.json data/08_reporting/report.html

clean: ## Remove the environment, caches and what a training makes again
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache $(BESIDE)
	@test ! -f dvc.yaml || $(STAGE_OUTPUTS) | while read -r path; do rm -rf "$$path"; done
	@echo "Removed: $(VENV), caches, and what a training makes again."
	@kept=$$(ls -d mlflow.db* mlartifacts data/0[2-8]_*/* 2>/dev/null | grep -v '\.dvc$$') || exit 0; \
		echo "Kept, as a training does not make it again; to remove one of them: rm -r NAME"; \
		echo "$$kept" | sed 's/^/  /'

# --- Of the template itself: not in copies ---

.PHONY: bench new check-template
LIBRARY := src/kedro_tabular benchmarks template

new: $(INSTALLED) ## Make a project of your own of what is committed here: make new DEST=../churn
	@test -n "$(DEST)" || { echo "Say where: make new DEST=../churn"; exit 1; }
	@test -z "$$(ls -A "$(DEST)" 2>/dev/null)" || { echo "$(DEST) is not empty. Nothing was copied."; exit 1; }
	@commit=$$(git rev-parse HEAD) && $(BIN)/copier copy --trust --vcs-ref=$$commit "$(CURDIR)" "$(DEST)"

bench: data ## Compare speed and memory with what does the same by hand
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/serving.py
	@$(BIN)/python benchmarks/monitoring.py

check: check-template

check-template: $(INSTALLED)
	@$(BIN)/ruff check --quiet $(LIBRARY)
	@$(BIN)/ruff format --check --quiet $(LIBRARY) || { echo "formatting differs: run $(BIN)/ruff format $(LIBRARY)"; exit 1; }
	@$(BIN)/mypy --no-error-summary $(LIBRARY)
	@broken=$$($(BIN)/lint-imports --no-logo template/importlinter.ini) || { echo "$$broken"; exit 1; }
