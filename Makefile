# Two commands for a newcomer: `make reproduce` and `make test`. `make help` lists the rest.

# The first interpreter that runs and is 3.11 or newer; name another with PYTHON=... Where there is none but uv,
# any Python runs tools/install.py, and uv brings one that is new enough.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; \
	command -v uv >/dev/null && command -v python3)
BIN := .venv/bin
# the workshop's exercises hold no outputs; tests/test_workshop.py runs them
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with notebooks/sanitize.cfg \
	--ignore=notebooks/workshop/exercises
# a notebook's cells share one kernel, so a file stays on one worker; tests/conftest.py puts long files first
PARALLEL := -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# programs and kernels are started by the dozen: what one has compiled the next need not compile again
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install spark reproduce check test slow matrix lowest lab workshop slides docs site lite lint format lock expected clean clean-venv

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## create .venv from requirements.lock (once per state of the lock)
	@test -n "$(PYTHON)" || { echo "make: no Python from 3.11 on was found; install one or uv, or name it: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) tools/install.py

spark: ## add PySpark to .venv (Java 17 is needed to run it)
	@$(PYTHON) tools/install.py --spark

reproduce: install ## run every notebook, judge every claim, write results/ and print the board
	@$(BIN)/erresearch reproduce --out results

test: install ## all tests: unit, property, doctests, and the notebooks' stored outputs
	@$(BIN)/python -m pytest $(PARALLEL) $(NBVAL) notebooks tests erresearch

check: lint ## lint, types and a quick test of every room: under a minute on two cores
	@$(BIN)/python -m pytest -q -p no:nbval -n logical --maxprocesses 2 $$($(BIN)/python tools/quick.py)

matrix: install ## the numeric tests, notebooks and verdicts on several kernels, processors and hash seeds
	@$(BIN)/python tools/matrix.py

lowest: install ## the lowest versions that pyproject names, tried in build/lowest (needs uv)
	@$(BIN)/python tools/lowest.py

slow: install ## the tests that take minutes (calibration over many seeds)
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 -m slow tests erresearch

lab: install ## open JupyterLab on the notebooks, with the workshop's profile
	@$(BIN)/python tools/lab.py

workshop: install ## make the workshop's exercises and solutions from notebooks/workshop/source
	@$(BIN)/python tools/workshop.py

slides: install ## write the workshop's slides into build/slides/
	@$(BIN)/python tools/workshop.py --slides

docs: ## create .venv-docs from requirements-docs.lock (once per state of the lock)
	@$(PYTHON) tools/install.py --docs

site: docs ## build the site into site/: tutorials, guides, reference, claims; links checked
	@.venv-docs/bin/python tools/site.py

lite: docs ## build a JupyterLite with this package into lite/
	@.venv-docs/bin/python tools/lite.py

lint: install ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: install ## let ruff lay the code out
	@$(BIN)/ruff format .

# extras are spelt out: pip takes no pinned package for one that is asked for with an extra, once a newer one exists
lock: ## write the locks again from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-strip-extras --extra test --extra dev pyproject.toml -o requirements.lock
	for extra in spark docs; do \
		$(PYTHON) -c "import sys, tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')" $$extra \
		| uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-strip-extras -c requirements.lock - -o requirements-$$extra.lock || exit 1; done
	$(PYTHON) tools/lite.py --lock

expected: install ## accept the present verdicts as the expected ones, in the tests, the README and the guides
	@$(BIN)/erresearch reproduce --out results --no-expected --no-notebooks
	@mkdir -p tests/expected && cp results/verdicts.csv tests/expected/verdicts.csv
	@$(BIN)/python tools/readme.py
	@$(BIN)/python tools/guides.py

clean: ## remove results and caches
	rm -rf results site lite dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*/*' -prune -exec rm -rf {} +

clean-venv: ## remove .venv and .venv-docs
	rm -rf .venv .venv-docs
