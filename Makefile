# make demo: the embedded study, from bundled images to its report.   make test: lint and every test.   make check: seconds.
PYTHON ?= python3
BIN = .venv/bin
CORES ?= all

.PHONY: demo check test lint schema clean

demo: .venv/.demo
	$(BIN)/snakemake --cores $(CORES)
	@echo "The report: results/studies/demo/report/index.html"

# What to run while working: lint, and unit tests that start no process and train for no longer than a second or two.
check: .venv/.test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/unit -m "not slow" -n auto --dist loadgroup --durations=5

test: .venv/.test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup --durations=15

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

schema: .venv/.test
	$(BIN)/python -m iqadistill.config > schemas/study.schema.json

# Constraints pin versions only; where packages come from is the user's own pip configuration.
.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.test: .venv/.demo
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv results/*
