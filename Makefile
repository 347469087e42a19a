# Two commands do everything on a machine with python3, make and gcc: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= auto
LIBRARY := src/vgpu_migrate/dropin/libnvidia-ml.so.1

.DEFAULT_GOAL := help
.PHONY: help demo test lint types pytest clients lab lab-needs proof fuzz fuzz-short docs clean

help:            ## say what each target does
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "vgpu-migrate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2; }

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime  ## set up, then the main job on an embedded simulated fleet
	@$(BIN)/vgpu-migrate demo

test: lint types docs pytest  ## set up, then every check: ruff, mypy --strict, docs, pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy --strict

pytest: $(VENV)/.dev $(LIBRARY) clients lab-needs
	$(BIN)/python -m pytest -n $(JOBS)

# An installation compiles it too; this is for when its sources have changed since.
$(LIBRARY): native/build.py native/exports.map $(wildcard native/*.c native/*.h) | $(VENV)/.dev
	$(BIN)/python native/build.py

clients: $(VENV)/.dev  ## the NVML programs that the tests run unmodified, each in a folder of its own
	@$(BIN)/python tools/make_clients.py || echo "the tests that need them will say that they are skipped" >&2

# libvirt-python is built from source against libvirt-dev, so it comes after the Debian packages, and is no part of `dev`.
lab-needs: $(VENV)/.dev  ## what the laboratory needs, where it may be installed: as root, with apt-get
	@$(BIN)/python -m tools.lab_needs || echo "the tests that need it will say that they are skipped" >&2

lab: $(VENV)/.dev $(LIBRARY) lab-needs  ## two libvirt hosts and a guest between them, to try by hand; ends on Ctrl-C
	@$(BIN)/python -m tools.make_lab

proof: $(VENV)/.dev  ## a thousand random plans, each through the independent replay; the tests take a part of them
	$(BIN)/python -m tools.prove_plans

fuzz-short: $(VENV)/.dev  ## look for new inputs to the library for a minute; wants clang
	$(BIN)/python -m tools.fuzz --seconds 30

fuzz: $(VENV)/.dev  ## the same for hours, on every processor
	$(BIN)/python -m tools.fuzz --seconds 7200 --jobs $$(nproc)

docs: $(VENV)/.dev  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:           ## remove what the other targets made
	rm -rf $(VENV) $(LIBRARY) site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
