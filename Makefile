# make demo   set everything up and train on the digits
# make test   set everything up and run the tests

VENV := .venv
BIN := $(VENV)/bin
ONEDL := .onedl
OLDEST := .oldest
AUDIT := .audit

# The first interpreter found that is neither too old nor too new; `make PYTHON=...` overrides it.
PYTHON ?= $(shell for name in python3 python3.12 python3.11 python3.10 python; do \
	$$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1 \
	&& { echo $$name; break; }; done)

# The oldest one that there is, for the oldest releases of everything else.
OLDEST_PYTHON ?= $(shell for name in python3.10 python3.11 python3.12; do \
	$$name -c '' >/dev/null 2>&1 && { echo $$name; break; }; done)

# Processes that share the tests; more of them only where there are more cores.
TEST_JOBS ?= 2

# requirements/onedl.txt is left out: the forks provide the same modules as mminstall.txt.
REQUIREMENTS := $(addprefix requirements/,runtime.txt mminstall.txt tests.txt optional.txt docs.txt)

# Every method on the digits.
DIGITS := configs/tcl_digits_sym80.py configs/ce_digits_sym80.py $(wildcard configs/variants/*_digits_sym80.py configs/peers/*_digits_sym80.py)

.PHONY: help venv demo sweep test test-onedl test-oldest test-dist lint types audit format docs dist clean

help:
	@echo 'make venv        create $(VENV) and install everything from requirements/'
	@echo 'make demo        train TCL and cross-entropy on the digits, and compare them'
	@echo 'make sweep       train every variant and peer on the digits, three seeds each, and print a table'
	@echo 'make test        run the tests'
	@echo 'make test-onedl  run the smoke test against the OneDL forks'
	@echo 'make test-oldest run the tests of what packages may break, with the lowest releases that requirements/ admits'
	@echo 'make test-dist   build wheel and source distribution, and try the package as it is installed from them'
	@echo 'make lint        ruff check and format check;  make format  rewrite the files'
	@echo 'make types       mypy over package and tools'
	@echo 'make audit       ask PyPI for known vulnerabilities of all that is installed in $(VENV)'
	@echo 'make docs        build the pages into build/site; a warning is an error'
	@echo 'make dist        wheel and source distribution, into dist/'
	@echo 'make clean       remove caches and build products (not $(VENV), data or work_dirs)'

venv: $(VENV)/.installed

$(VENV)/.installed: $(REQUIREMENTS) setup.py pyproject.toml
	@test -x $(BIN)/python || test -n '$(PYTHON)' || \
		{ echo 'error: no Python 3.10, 3.11 or 3.12 found; name one: make PYTHON=/path/to/python3.12' >&2; exit 2; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(addprefix -r ,$(REQUIREMENTS))
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	touch $@

demo: venv
	$(BIN)/python tools/demo.py

sweep: venv
	$(BIN)/python tools/sweep.py $(DIGITS) --seeds 0 1 2

# A file goes to one process, so that what its tests share is made once.
test: venv
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile

$(ONEDL)/.installed: requirements/onedl.txt | venv
	rm -rf $(ONEDL)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --target $(ONEDL) -r requirements/onedl.txt
	touch $@

test-onedl: venv $(ONEDL)/.installed
	ONEDL_DIR="$(CURDIR)/$(ONEDL)" PYTHONPATH="$(CURDIR)/$(ONEDL)" $(BIN)/python -m pytest -m smoke

# Without the linters and what makes the site, which do their work with the newest releases.
$(OLDEST)/.installed: requirements/oldest.txt $(addprefix requirements/,runtime.txt mminstall.txt optional.txt)
	@test -n '$(OLDEST_PYTHON)' || \
		{ echo 'error: no python3.10, python3.11 or python3.12 found; name one: make OLDEST_PYTHON=...' >&2; exit 2; }
	rm -rf $(OLDEST)
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --disable-pip-version-check -c requirements/oldest.txt \
		-r requirements/runtime.txt -r requirements/mminstall.txt -r requirements/optional.txt \
		hypothesis matplotlib pytest pytest-xdist
	touch $@

test-oldest: $(OLDEST)/.installed
	@$(OLDEST)/bin/python -c 'import sys; v = sys.version.split()[0]; \
		print("Python", v if sys.version_info[:2] == (3, 10) else v + ", as there is no python3.10, the lowest")'
	$(OLDEST)/bin/python -m pytest -n $(TEST_JOBS) --dist loadfile tests/test_tools/test_smoke.py tests/test_compat.py \
		tests/test_checkpoints.py tests/test_detection tests/test_models tests/test_reports tests/test_auto_setup \
		tests/test_tools/test_plot.py tests/test_tools/test_compare_cleanlab.py

test-dist: venv
	$(BIN)/python -m pytest tests/check_dist.py

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/python -m mypy

$(AUDIT)/.installed: | venv
	$(BIN)/python -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --disable-pip-version-check 'pip-audit>=2.9,<3'
	touch $@

# Not in .ci/run: it fails for what others publish, and where nobody answers. Strict, because a package that PyPI has
# no answer for, such as every one behind a mirror without vulnerabilities, would count as one without any.
audit: venv $(AUDIT)/.installed
	mkdir -p build
	$(BIN)/python -m pip freeze --disable-pip-version-check --all --exclude-editable > build/audit.txt
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps -r build/audit.txt

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# From scratch: pages that have not changed would not be warned about again.
docs: venv
	rm -rf build/site
	$(BIN)/python -m sphinx -E -n -W --keep-going -q -d build/doctrees docs build/site
	@echo build/site/index.html

# The wheel is made of the source distribution, in a folder of its own: nothing of an earlier build gets into it.
dist: venv
	rm -rf dist
	$(BIN)/python -m build

clean:
	rm -rf build dist *.egg-info .audit .oldest .onedl .mypy_cache .pytest_cache .ruff_cache
	find tcl_plugin tools tests configs -name __pycache__ -type d -prune -exec rm -rf {} +
