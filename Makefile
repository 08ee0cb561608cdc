# make demo: the embedded study, from bundled photographs to its report.   make test: lint and every test.
PYTHON ?= python3
BIN = .venv/bin
CORES ?= all

.PHONY: demo test lint schema clean

demo: .venv/.demo
	$(BIN)/snakemake --cores $(CORES)
	@echo "The report: results/studies/demo/report/index.html"

test: .venv/.test lint
	$(BIN)/python -m pytest -n auto --dist loadgroup

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
