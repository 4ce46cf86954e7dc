# Every target does the set-up it needs; `make install` is the set-up alone,
# `make light` that of lint and check: torch and MMEngine, no mmcv to compile.
#
#   make install STACK=onedl|openmmlab PYTHON=python3 VENV=.venv
#                MMCV_FIND_LINKS=...   (a page with prebuilt mmcv wheels)
#   make demo    TASKS='...'
#   make data    (Fashion-MNIST, for the studies)
#   make test    ARGS='-k connector' JOBS=2   (processes, one thread each)
#   make test-all
#   make lint | check   (check: lint, and the tests that need no codebase)
#   make test-gpu       (what must hold on a GPU; docs/clusters.md)
#   make benchmark-gpu  (times at real sizes; a table, and a file to send)
#   make bundle  ARGS='--with NAME==VERSION'   (for a machine without network)
#   make docs           (the site, into build/site; an environment of its own)

STACK ?= onedl
PYTHON ?= python3
VENV ?= .venv
MMCV_FIND_LINKS ?=
TASKS ?=
ARGS ?=
JOBS ?= 2

RUN := "$(VENV)/bin/python"
# Was PYTHON named by the user, or is it only the default?
CHOSEN := $(if $(filter file,$(origin PYTHON)),,--python-chosen)

.DEFAULT_GOAL := help
.PHONY: help install light demo data test test-all test-gpu benchmark-gpu bundle lint check docs

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

install light:
	@command -v "$(PYTHON)" >/dev/null || { echo "make install: expected a \
	Python 3.10 to 3.12, but there is no '$(PYTHON)' on PATH; install one, or \
	name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" tools/dev/install.py --stack "$(STACK)" --venv "$(VENV)" \
	    --mmcv-find-links "$(MMCV_FIND_LINKS)" $(CHOSEN) \
	    $(if $(filter light,$@),--light)

demo: install
	$(RUN) tools/demo.py $(if $(TASKS),--tasks $(TASKS)) $(ARGS)

data: install
	$(RUN) tools/dataset_converters/fashion_mnist.py $(ARGS)

test: install
	$(RUN) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-all: install
	$(RUN) -m pytest -n $(JOBS) --dist loadfile -m '' $(ARGS)

test-gpu: install
	$(RUN) -m pytest -m cuda -rs $(ARGS)

benchmark-gpu: install
	$(RUN) tools/benchmark/gpu.py $(ARGS)

bundle: install
	$(RUN) tools/dev/bundle.py $(ARGS)

lint: light
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	"$(VENV)/bin/shellcheck" -x -P SCRIPTDIR tools/*.sh .ci/run

check: lint
	$(RUN) -m pytest --pure -q -rfE $(ARGS)

# Its tools read the code without running it: no torch is needed.
DOCS_VENV := .venv-docs
docs: $(DOCS_VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --strict

$(DOCS_VENV)/installed: requirements/docs.txt
	"$(PYTHON)" -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install -q -r requirements/docs.txt
	touch $@
