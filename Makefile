# Every target makes what it needs. `make` alone lists them.
#
#   make collect ARGS='-f -4h -o /data/bundle'     passes options on to `clinic collect`

PYTHON = .venv/bin/python
RUN = .venv/.run
DEV = .venv/.dev
QUICK = not lab and not slow and not soak

.DEFAULT_GOAL := help
.PHONY: help collect test test-quick soak lint format bench lab-up lab-down docs dist wheelhouse clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="	" read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

# The stamps say what is installed; a changed pyproject.toml makes both old.
$(RUN): pyproject.toml tools/venv.sh
	@sh tools/venv.sh .venv run

$(DEV): pyproject.toml tools/venv.sh
	@sh tools/venv.sh .venv dev

collect: $(RUN) ## make a bundle of this machine and the cluster it runs; options in ARGS
	@$(PYTHON) -m clinic collect $(ARGS)

test: $(DEV) ## all tests on the default Python, the quick ones on every other that is found
	@$(PYTHON) tools/run_tests.py

test-quick: $(DEV) ## the quick tests on the default Python: under a minute
	@$(PYTHON) -m pytest -q -m '$(QUICK)' -n 2 --dist loadfile $(ARGS)

soak: $(DEV) ## the tests that take minutes or gigabytes
	@$(PYTHON) -m pytest -m soak $(ARGS)

lint: $(DEV) ## ruff, mypy, pyright, the floors, the generated documents
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) -m pyright
	.venv/bin/lint-imports --no-logo
	$(PYTHON) tools/cli_reference.py --check

format: $(DEV) ## let ruff order the imports and lay out the code
	$(PYTHON) -m ruff check --fix-only --quiet
	$(PYTHON) -m ruff format

bench: $(DEV) ## what a run costs: time, CPU, memory, size; beside sos where it is installed
	@$(PYTHON) tools/bench.py $(ARGS)

# 3: it is up, without the servers that can't be had on this machine; it has said which and why.
lab-up: $(DEV) ## start the lab's servers on loopback
	@$(PYTHON) tests/lab/lab.py up || [ $$? -eq 3 ]

lab-down: $(DEV) ## stop them
	@$(PYTHON) tests/lab/lab.py down

docs: $(DEV) ## write docs/cli.md anew from the commands
	@$(PYTHON) tools/cli_reference.py

dist: $(DEV) ## build the wheel and the sdist twice, compare, install the wheel, make a bundle with it
	@$(PYTHON) tools/check_dist.py

wheelhouse: $(DEV) ## one archive that installs Clinic on a machine without network
	@$(PYTHON) tools/wheelhouse.py $(ARGS)

clean: ## remove what these targets made here
	rm -rf .venv .venv-3.* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
