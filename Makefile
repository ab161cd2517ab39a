# make train | test | evaluate | lab | docs | wheel | clean. Any target makes the environment first when it is missing or stale.
PYTHON ?= python3
DATASET ?= digits
RUN ?= latest
# More papermill arguments, for example: make train ARGS="-p steps 8000 -p seed 1"
ARGS ?=
# A folder that goes to Google Drive, which gets the wheel: make wheel DRIVE=~/drive/rcgan_nb
DRIVE ?=

BIN := .venv/bin
ENV := .venv/complete
RUNS := $(or $(RCGAN_RUNS),runs)
# papermill hands what the notebook says to the terminal, living progress line and warnings included.
PAPERMILL := $(BIN)/papermill --no-progress-bar --stdout-file - --stderr-file -

.PHONY: env train evaluate test lint lab docs wheel lock clean

env: $(ENV)

# Bytecode is compiled while installing: without it every kernel spends half a minute compiling TensorFlow.
$(ENV): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	  "Python 3.11 to 3.13 is needed, this is %d.%d; say which with make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $(ENV)

train: $(ENV)
	@name="$$(date +%Y-%m-%d_%H-%M-%S)" && mkdir -p "$(RUNS)/$$name" && \
	$(PAPERMILL) notebooks/train.ipynb "$(RUNS)/$$name/train.ipynb" -p run_name "$$name" -p dataset "$(DATASET)" $(ARGS) && \
	echo "The run lies in $(RUNS)/$$name. Judge it with: make evaluate"

evaluate: $(ENV)
	@run="$$($(BIN)/python -c 'from rcgan_nb import archive; print(archive.find("$(RUN)").path)')" && \
	$(PAPERMILL) notebooks/evaluate.ipynb "$$run/evaluate.ipynb" -p run "$$run" $(ARGS) && \
	$(BIN)/python -c 'import sys; from rcgan_nb.evaluation import Report; print(Report.read(sys.argv[1]))' "$$run/evaluation.json" && \
	echo "All of it, with figures: $$run/report.html"

test: $(ENV)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(ENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify notebooks/*.ipynb

lab: $(ENV)
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks

# What Sphinx needs is not in the lock, and may not move what is.
.venv/sphinx: $(ENV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock --group docs
	touch .venv/sphinx

# Notebooks that have changed are executed with small settings, in a folder of runs of their own; then pages are made.
docs: $(ENV) .venv/sphinx
	$(BIN)/python conf.py
	$(BIN)/python -m sphinx -W --keep-going --quiet -d site/doctrees . site/html
	@echo "The pages lie in site/html/index.html."

# The library as one file, notebooks included. What setuptools built before would come along, so it goes.
wheel: $(ENV)
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build
	@if [ -n "$(DRIVE)" ]; then mkdir -p "$(DRIVE)" && cp dist/*.whl "$(DRIVE)/" && echo "The wheel lies in $(DRIVE)."; \
	  else echo "Put $$(echo dist/*.whl) into the folder rcgan_nb of your Google Drive: colab.ipynb finds it there."; fi

lock: $(ENV)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

# What make made: the environment, pages and caches. Results stay.
clean:
	rm -rf .venv .pytest_cache .ruff_cache build dist site api rcgan_nb.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
