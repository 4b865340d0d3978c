# Six verbs; each sets up what it needs in .venv (only Python >= 3.11 with venv is asked of the machine).
PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/demo

.PHONY: demo test check bench bench-full docs runtime dev peers

demo: runtime  ## the main job end to end, on data that comes with the package
	$(BIN)/bertsmith demo --out $(OUT) --overwrite

test: dev  ## the whole test suite
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: dev  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev peers  ## speed and quality beside peers, sized for 20 minutes on two quiet cores; DATA=path/to/data for real texts
	$(BIN)/python benchmarks/run.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-full: dev peers  ## the same without a limit: hours; an interrupted run goes on
	$(BIN)/python benchmarks/run.py --full $(if $(DATA),--data $(DATA)) $(ARGS)

docs: docs-env  ## the documentation site, built strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

runtime dev:
	@$(PYTHON) tools/environment.py $@

peers:
	@$(PYTHON) tools/environment.py $@ || echo "going on without peers: their rows will say so"

.PHONY: docs-env
docs-env:
	@$(PYTHON) tools/environment.py docs
