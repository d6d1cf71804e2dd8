# Two commands do everything on a fresh machine with Python 3.11 or newer:  make demo   and   make test
PYTHON ?= python3
SEED ?=
unexport PYTHONDONTWRITEBYTECODE  # else each of the hundreds of processes that tests start compiles the package anew
.PHONY: demo test test-fast test-export check format clean

# each environment is made once, and again when pyproject.toml or what is compiled changes
.venv/installed: pyproject.toml inspectd/vision/scan.c inspectd/vision/scan.h
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[cpu,calibrate,demo,dev]'
	touch $@

.venv-demo/installed: pyproject.toml inspectd/vision/scan.c inspectd/vision/scan.h
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/pip install --quiet --disable-pip-version-check --editable '.[cpu,calibrate,demo]'
	touch $@

# torch stays in an environment of its own: nothing that runs on a line needs it. torchvision imports only beside the torch
# that it was built for, so the two are pinned together; any such pair of the extra's range will do
.venv-export/installed: pyproject.toml
	$(PYTHON) -m venv .venv-export
	.venv-export/bin/pip install --quiet --disable-pip-version-check 'torch==2.14.1' 'torchvision==0.29.1' \
		pytest pytest-timeout hypothesis --editable '.[cpu,calibrate,export]'
	touch $@

demo: .venv-demo/installed
	.venv-demo/bin/inspectd demo --dir demo $(if $(SEED),--seed $(SEED))

test: test-all test-export

test-all: .venv/installed
	.venv/bin/pytest -n 2 --dist loadfile

test-fast: .venv/installed
	.venv/bin/pytest -n 2 --dist loadfile -m 'not slow'

test-export: .venv-export/installed
	.venv-export/bin/pytest -m export $(addprefix tests/calibration/test_,tracing.py networks.py backbones.py)

check: .venv/installed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q -n 2 --dist loadfile -m 'not slow'

format: .venv/installed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean:
	rm -rf .venv .venv-demo .venv-export demo build *.egg-info
