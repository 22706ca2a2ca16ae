# Two commands do everything on a fresh machine: `make demo` and `make test`.
SHELL := /bin/sh
PYTHON := .venv/bin/python
JOBS ?= auto

.PHONY: help demo demo-stop test lint bench load quality faults lock browser clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/.ready: requirements.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh

demo: .venv/.ready ## from nothing to a trained, promoted model and a running service (DATA=folder for your own history)
	@$(PYTHON) scripts/demo.py start $(if $(DATA),--data $(DATA))

demo-stop: ## stop the service that `make demo` left running
	@if [ -x $(PYTHON) ]; then $(PYTHON) scripts/demo.py stop; fi

test: .venv/.ready browser lint ## everything that CI runs: lint, types and tests
	@$(PYTHON) -m pytest -n $(JOBS) --dist worksteal

lint: .venv/.ready ## style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

browser: ## Debian's Chromium and strace, which the tests drive for real
	@scripts/system_packages.sh chromium strace

bench: .venv/.ready ## what it costs, beside peers: measures all and writes docs/benchmarks.md (about 20 minutes; BENCH=--resume goes on)
	@$(PYTHON) -m benchmarks.run $(BENCH)

load: .venv/.ready ## ten minutes at 70 % of saturation, then a minute at four times: fails on errors, lost decisions, memory that grows, late answers
	@$(PYTHON) -m benchmarks.sustained
	@$(PYTHON) -m benchmarks.storm

quality: .venv/.ready ## rank all traffic of a later period on worlds with known truth, beside peers and the ceiling
	@.venv/bin/chekara simulate var/quality/shipped --months 18 --per-day 370 --seed 7
	@$(PYTHON) -m benchmarks.quality --data var/quality/shipped --until 2026-03-15T00:00:00Z
	@$(PYTHON) -m benchmarks.stranger_world var/quality/stranger --crossings 150000 --seed 5
	@$(PYTHON) -m benchmarks.quality --data var/quality/stranger --until 2024-05-06T00:00:00Z

faults: .venv/.ready ## the long fault run: 100 times kill -9 under load, with counts
	@$(PYTHON) -m benchmarks.kill_under_load --kills 100

lock: .venv/.ready ## resolve pyproject.toml into the hashed lock again
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
	  --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: demo-stop ## remove what the commands above made, var/ included
	@rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache
