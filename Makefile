# Each target sets up what it needs: see scripts/setup.sh.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check format clean

DISPLAY_FOUND := $(DISPLAY)$(WAYLAND_DISPLAY)
# Without a display the window and GL tests run on a virtual one.
ON_A_DISPLAY := $(if $(DISPLAY_FOUND),,xvfb-run -a -s "-screen 0 1280x1024x24 +extension GLX")

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: ## Track the first camera, or the sample clip, in a window; without a display into out/demo
	@scripts/setup.sh run
ifeq ($(DISPLAY_FOUND),)
	@.venv/bin/n2f demo --headless --out out/demo
else
	@.venv/bin/n2f demo
endif

test: ## Run the tests
	@scripts/setup.sh dev
	@$(ON_A_DISPLAY) .venv/bin/pytest -q $(PYTEST_ARGS)

check: ## Check format, lint, types and import contracts
	@scripts/setup.sh dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: ## Format the code and fix what the linter can
	@scripts/setup.sh dev
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean: ## Remove what was made here: the environment, caches and outputs
	rm -rf .venv out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
