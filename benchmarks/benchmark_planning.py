"""Seconds and memory that `snakemake -n` takes to plan a study, against its number of jobs.

    python benchmarks/benchmark_planning.py                       # about 500, 1500 and 5000 jobs
    python benchmarks/benchmark_planning.py --jobs 5000 --repeats 5 --csv benchmarks/results

The studies have four datasets in folders of their own, ten selectors, an MLP, a deep student on every split and twelve
figures; keep rates and splits grow with the number of jobs. Nothing is there yet, so that all jobs are planned. Each
planning is a process of its own; rounds go through all sizes in turn, and medians are shown.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

import pandas as pd
import yaml
from conditions import conditions
from module_process import run_module

from iqadistill.config import Plan, check_study

REPOSITORY = Path(__file__).parents[1]
DATASETS = [f"own{number}" for number in range(4)]
IMAGES = 250  # of a dataset; their sizes and dates are looked at, and nothing else
SELECTORS: dict[str, dict] = {"random": {}, "kcenter": {}} | {
    f"residual_h{h}": {"n_components": h} for h in range(2, 10)
}
DEEP_FIGURES = 12
MEGABYTE = 2**20


def study_of(jobs: int) -> dict:
    """A study of about so many jobs: training and prediction for each dataset, split, selector and keep rate."""
    rates = min(5, max(1, round(jobs / 1700)))
    variants = len(SELECTORS) * rates + 1
    splits = max(1, round((jobs - len(DATASETS) * (len(SELECTORS) + 6)) / (2 * len(DATASETS) * variants)))
    figure = {"figure": "rate_sweep", "students": ["adtrs"]}
    return {
        "name": "planned",
        "device": "cpu",
        "datasets": {name: {"source": "images"} for name in DATASETS},
        "samplers": {"random_crops": {"count": 20, "size": 224}},
        "encoders": {"lite0": {"model": "tf_efficientnet_lite0", "weights": "packaged"}},
        "selectors": SELECTORS,
        "keep": [*(0.1 * (place + 1) for place in range(rates)), 1.0],
        "students": {"mlp": {}, "adtrs": {"backbone": "tf_efficientnet_lite0", "weights": "packaged"}},
        "evaluation": {"splits": splits},
        "experiments": [
            {"figure": "rate_sweep", "students": ["mlp"]},
            *({**figure, "name": f"deep{number}"} for number in range(DEEP_FIGURES)),
        ],
    }


def write_study(folder: Path, jobs: int) -> int:
    """Write a study and the images that it names; returns its number of jobs."""
    for name in DATASETS:
        images = [f"{number:03d}.png" for number in range(IMAGES)]
        (folder / "data" / name).mkdir(parents=True)
        for place, image in enumerate(images):
            (folder / "data" / name / image).write_bytes(bytes(place))
        rows = "".join(f"{image},{1 + place % 5}\n" for place, image in enumerate(images))
        (folder / "data" / name / "images.csv").write_text(f"image,mos\n{rows}")
    study = study_of(jobs)
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
    return len(Plan(check_study(study), folder).jobs)


def plan(folder: Path) -> dict[str, float]:
    """Wall-clock and CPU seconds of `snakemake -n` in a folder, and its largest resident memory in MB."""
    arguments = ["-n", "-q", "--cores", 2, "--snakefile", REPOSITORY / "Snakefile"]
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    used = run_module("snakemake", *arguments, folder=folder, environment={**os.environ, "PYTHONPATH": path})
    return {"seconds": used.seconds, "cpu_seconds": used.cpu_seconds, "megabytes": used.peak / MEGABYTE}


def main() -> None:
    """Write the studies, plan each in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[500, 1500, 5000], help="about so many jobs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="folder for the table planning.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(jobs) for jobs in options.jobs]
        counts = [write_study(folder, jobs) for folder, jobs in zip(folders, options.jobs, strict=True)]
        rounds = [[plan(folder) for folder in folders] for _ in range(options.repeats)]
    rows = [
        {"jobs": jobs, **{what: statistics.median(one[what] for one in measured) for what in measured[0]}}
        for jobs, measured in zip(counts, zip(*rounds, strict=True), strict=True)
    ]
    table = pd.DataFrame(rows).round(2)
    print(table.to_string(index=False))
    if options.csv:
        options.csv.mkdir(parents=True, exist_ok=True)
        table.assign(**conditions()).to_csv(options.csv / "planning.csv", index=False)


if __name__ == "__main__":
    main()
