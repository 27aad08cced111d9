# The first command in a fresh clone may be any of these: each sets up what it needs in .venv, once.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --editable
# Tests start some hundred processes: without bytecode files each would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE
# As `shelfedge` sets it for itself: threads for small matrices cost far more than they save.
export OPENBLAS_NUM_THREADS ?= 1

# What the tests need of the system: the shelf MCU's compiler, flasher and emulator; the broker that events go to.
RIG_PACKAGES := gcc make gcc-avr avr-libc avrdude libsimavr-dev mosquitto

.PHONY: help demo test bench hil lint clean venv tools

help:
	@echo "make demo    watch shelf events being found, live, on a simulated board (no hardware)"
	@echo "make test    format, lint, types and tests"
	@echo "make lint    format, lint and types"
	@echo "make hil     the tests of real boards: make hil BENCH=my.yaml (see hil/rig/bench.yaml); else the emulator"
	@echo "make bench   sensing quality, peers, speed and cost, an hour of the link, 50 cut flashes, events from outbox to"
	@echo "             broker, 200 kills, a node's day, 500 calibrations, cameras, faults to be named (some three"
	@echo "             hours); pictures and tables in out/"
	@echo "make venv    only set up .venv"
	@echo "make clean   remove everything that make made, .venv too"

demo: .venv/.demo
	@.venv/bin/shelfedge demo

# While the linters run, the kernels are compiled for the tests: a minute that nobody has to wait for. Those of cameras
# are needed later, so they follow while the first tests run.
test: .venv/.dev .venv-tflite/.made tools
	@$(PYTHON) -m edge.node.warm_up >/dev/null 2>&1 & kernels=$$!; \
	$(MAKE) --no-print-directory lint || { kill $$kernels; exit 1; }; \
	wait $$kernels; true
	@$(PYTHON) -m edge.node.warm_up sight >/dev/null 2>&1 & $(PYTHON) -m pytest -n 3 --dist worksteal

hil: .venv/.dev tools
	BENCH="$(BENCH)" $(PYTHON) -m pytest tests/hil

lint: .venv/.dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

bench: .venv/.bench tools
	@$(PYTHON) -m hil.bench
	@$(PYTHON) -m hil.link_hour
	@$(PYTHON) -m hil.flash_soak
	@$(PYTHON) -m hil.stream_bytes
	@$(PYTHON) -m hil.outbox_bench
	@$(PYTHON) -m hil.uplink_bench
	@$(PYTHON) -m hil.track_stream
	@$(PYTHON) -m hil.stream_latency
	@$(PYTHON) -m hil.ring_bench
	@$(PYTHON) -m hil.sight_bench
	@$(PYTHON) -m hil.stream_soak
	@$(PYTHON) -m hil.node_day
	@$(PYTHON) -m hil.installations
	@$(PYTHON) -m hil.rig_calibration
	@$(PYTHON) -m hil.long_runs
	-@$(PYTHON) -m hil.ceiling
	@$(PYTHON) -m hil.street
	-@$(PYTHON) -m hil.vision_cost
	@$(PYTHON) -m hil.camera_calibration
	@$(PYTHON) -m hil.products
	@$(PYTHON) -m hil.who
	@$(PYTHON) -m hil.shelf_camera --faults good --scenes 5 --minutes 3
	@$(PYTHON) -m hil.shelf_camera --kinds one-cell --scenes 3 --minutes 2.5
	@$(PYTHON) -m hil.diagnosis_matrix
	@$(PYTHON) -m hil.node_faults

venv: .venv/.demo

# Installed where that is allowed without asking; else the tests that need them say why they skip.
tools:
	@missing=; \
	for tool in avr-gcc avr-objcopy avrdude gcc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	PATH="$$PATH:/usr/sbin" command -v mosquitto >/dev/null || missing="$$missing mosquitto"; \
	[ -e /usr/include/simavr/sim_avr.h ] || missing="$$missing libsimavr"; \
	[ -n "$$missing" ] || exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	if command -v apt-get >/dev/null && { [ -z "$$root" ] || $$root true 2>/dev/null; }; then \
	    echo "Installing$$missing for the tests (once) ..."; \
	    $$root apt-get update -qq && $$root apt-get install -y -qq $(RIG_PACKAGES) >/dev/null || \
	        echo "That didn't work; those tests will say why they skip."; \
	else \
	    echo "Not here:$$missing. The tests that need them will skip; with them: sudo apt-get install $(RIG_PACKAGES)"; \
	fi

clean:
	rm -rf .venv .venv-tflite build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

.venv/.demo: pyproject.toml | .venv/.made
	@echo "Installing shelfedge and what it needs into .venv (a minute or two, once) ..."
	@$(PIP_INSTALL) '.[plot]'
	@touch $@

.venv/.bench: pyproject.toml | .venv/.made
	@echo "Installing shelfedge and what its benchmark needs into .venv (a minute or two, once) ..."
	@$(PIP_INSTALL) '.[bench]'
	@touch $@ .venv/.demo

# picamera2 alone: what it needs of a Pi, the tests stand in for.
.venv/.dev: pyproject.toml | .venv/.made
	@echo "Installing shelfedge and what its tests need into .venv (a minute or two, once) ..."
	@$(PIP_INSTALL) '.[dev]'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps 'picamera2>=0.3.25'
	@touch $@ .venv/.demo .venv/.bench

# TFLite's older runtime wants an older numpy, so it is tested in an environment of its own.
.venv-tflite/.made: pyproject.toml
	@python=; for candidate in python3.11 .venv/bin/python; do \
	    $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || continue; \
	    python=$$candidate; break; \
	done; \
	mkdir -p .venv-tflite; \
	if [ -n "$$python" ]; then \
	    echo "Installing TFLite's older runtime for its tests into .venv-tflite (once) ..."; \
	    $$python -m venv --clear .venv-tflite && \
	    .venv-tflite/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[tflite]' 'pytest>=8'; \
	else \
	    echo "No Python 3.11 here, and tflite-runtime has no wheels for later ones: only ai-edge-litert is tested."; \
	fi && touch $@

# The first Python that is new enough and can make a venv; failing that, one that is new enough, after installing
# python3-venv (Debian and Raspberry Pi OS ship it apart). A candidate is run, not only looked for: it may be a shim.
.venv/.made:
	@can='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	python=; bare=; \
	for candidate in python3.13 python3.12 python3.11 python3 /usr/bin/python3; do \
	    $$candidate -c "$$can" 2>/dev/null || continue; \
	    if $$candidate -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi; \
	    bare=$${bare:-$$candidate}; \
	done; \
	if [ -z "$$python" ] && [ -z "$$bare" ]; then \
	    echo "error: shelfedge needs Python 3.11, 3.12 or 3.13; found: $$(python3 --version 2>/dev/null || echo none)." >&2; \
	    echo "Raspberry Pi OS and Debian have it from release 12 (bookworm) on: sudo apt-get install python3 python3-venv" >&2; \
	    exit 1; \
	fi; \
	if [ -z "$$python" ]; then \
	    python=$$bare; \
	    package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	    if command -v apt-get >/dev/null && { [ -z "$$root" ] || $$root true 2>/dev/null; }; then \
	        echo "$$python has no venv; installing $$package ..."; \
	        $$root apt-get update -qq && $$root apt-get install -y -qq $$package >/dev/null; \
	    fi; \
	    $$python -c 'import ensurepip, venv' 2>/dev/null || { \
	        echo "error: $$python can't make a virtual environment. Install $$package, then run make again:" >&2; \
	        echo "    sudo apt-get install $$package" >&2; exit 1; }; \
	fi; \
	echo "Making .venv with $$($$python --version) ..."; \
	$$python -m venv --clear .venv && touch $@
