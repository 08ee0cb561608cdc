# make demo: the embedded study, from bundled images to its report.
# make check: lint, types and the quick tests.   make test: lint, types and all tests but those marked whole.
# make test-all: those as well, the larger paper studies from miniature archives to their reports.
# make fuzz: thousands of damaged inputs for each reader.   make chaos: jobs killed, disks full, runs side by side.
# make benchmarks: solvers, choosing, embedding and training timed, into benchmarks/results; QUICK=1: in minutes.
# make test-slurm: a study on a SLURM cluster of one node that is set up here, as root in a container, and taken down.
PYTHON ?= python3
BIN = .venv/bin
CORES ?= all
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

.PHONY: demo check test test-all lint types all-tests fuzz chaos test-slurm benchmarks schema prices clean

demo: .venv/.demo
	$(BIN)/snakemake --cores $(CORES)
	@echo "The report: results/studies/demo/report/index.html"

# What to run while working: lint, types, and tests that start no process and train for no longer than a second or two.
check: .venv/.test lint types
	$(PYTEST) tests/unit tests/docs -m "not slow" --durations=5

test: lint types all-tests

# Adds every paper study whole; of the three, `make test` runs the smallest.
test-all: lint types
	$(PYTEST) -m "not chaos and not slurm" --durations=15

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/codespell
	$(BIN)/snakemake --lint

types: .venv/.test
	$(BIN)/mypy

all-tests: .venv/.test
	$(PYTEST) -m "not whole and not chaos and not slurm" --durations=15

fuzz: .venv/.test
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) tests/fuzz

chaos: .venv/.test
	$(PYTEST) tests/chaos -rPfE --durations=0

test-slurm: .venv/.test
	$(BIN)/python -m pytest tests/slurm -m slurm -n 0

# One word for each benchmark that needs no data, those beside solvers of other packages apart, and its options where
# QUICK=1 asks for a try of some minutes.
RESULTS = benchmarks/results$(if $(QUICK),/quick)
BENCHMARKS = choosing_many embedding engine planning
WITH_PEERS = selection peers
QUICK_selection = --quick --plain-iterations 1
QUICK_choosing_many = --sizes 2000 5000 --no-agreement
QUICK_embedding = --images 2 --repeats 1
QUICK_engine = --images 8 --repeats 1
QUICK_compiled = --networks nar --images 8 --repeats 1
QUICK_planning = --jobs 500 --repeats 1
QUICK_peers = --quick

benchmarks: $(WITH_PEERS:%=benchmark-%) $(BENCHMARKS:%=benchmark-%) benchmark-compiled
	$(BIN)/python benchmarks/figure_selection.py $(RESULTS)/selection_scaling.csv $(RESULTS)/solvers.svg

$(BENCHMARKS:%=benchmark-%): benchmark-%: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/benchmark_$*.py --csv $(RESULTS) $(if $(QUICK),$(QUICK_$*))

# The workflow's jobs keep freed memory, see the Snakefile.
benchmark-embedding: export MALLOC_ARENA_MAX = 1
benchmark-embedding: export MALLOC_MMAP_THRESHOLD_ = 268435456
benchmark-embedding: export MALLOC_TRIM_THRESHOLD_ = 1073741824

benchmark-compiled: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/benchmark_engine.py --compile --csv $(RESULTS) $(if $(QUICK),$(QUICK_compiled))

$(WITH_PEERS:%=benchmark-%): benchmark-%: .venv/.peers
	OMP_NUM_THREADS=1 .venv/peers/bin/python benchmarks/benchmark_$*.py --csv $(RESULTS) $(if $(QUICK),$(QUICK_$*))

# Generated from the settings; tests compare them.
schema: .venv/.test
	$(BIN)/python -m iqadistill.config schema > schemas/study.schema.json
	$(BIN)/python -m iqadistill.config reference > docs/configuration.md

# README's table of prices, between the two marks.
prices: .venv/.test
	$(BIN)/iqadistill cost --readme README.md --table config.yaml studies/*.yaml

# Constraints pin versions only; where packages come from is the user's own pip configuration. Modules are compiled when
# they are first imported, most of them never.
INSTALL = python -m pip install --quiet --no-compile --constraint constraints.txt --editable

.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/$(INSTALL) .
	touch $@

.venv/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/$(INSTALL) '.[test]'
	touch .venv/.demo $@

.venv/.peers: .venv/.test benchmarks/peers.txt
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/$(INSTALL) . --requirement benchmarks/peers.txt
	touch $@

clean:
	rm -rf .venv results/*
