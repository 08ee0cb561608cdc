"""Which jobs of the default study rerun after an edit of one file of the package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

# file -> labels of the jobs whose code digest changes; a label is the rule, with the study entry where entries differ
DEEP = {"train_student[adtrs]", "train_student[rkiqt]", "pretrain_teacher[nar]", "pretrain_teacher[cnn]"}
SCORED = {"predict[adtrs]", "predict[rkiqt]"}
RESIDUAL = {"select_patches[residual]", "select_patches[highest_residual]"}
EDITS = {
    "datasets/retrieval/unpackers.py": {"retrieve_dataset"},
    "datasets/retrieval/downloading.py": {"retrieve_dataset"},
    "datasets/galleries/rooms.py": {"render_dataset"},
    "datasets/splits.py": {"split_dataset"},
    "datasets/repeated_kfold.py": {"split_dataset"},
    "sampling/equirectangular.py": {"sample_patches[lat]", "sample_patches[erp]", "sample_patches[sp]"},
    "sampling/scanpath.py": {"sample_patches[sp]"},
    "selection/irls.py": RESIDUAL | {"time_budgets"} | {"plot_selection[duplicates]", "plot_selection[structure]"},
    "selection/selectors/kcenter.py": {"select_patches[kcenter]"},
    "evaluation/budget_times.py": {"time_budgets"},
    "selection/selectors/position.py": {"select_patches[position]", "score_budgets", "time_budgets"},
    "evaluation/budgets.py": {"score_budgets"},
    "encoders/folding.py": {"embed_patches", "time_budgets"} | DEEP | SCORED,
    "models/mlp.py": {"train_mlps", "predict_mlps", "predict_patches", "train_random_draws", "time_budgets"},
    "training/mlp/stacked_mlps.py": {
        "train_mlps",
        "predict_mlps",
        "predict_patches",
        "train_random_draws",
        "time_budgets",
    },
    "models/adtrs/student.py": {"train_student[adtrs]", "predict[adtrs]"},
    "losses/ranking.py": {"train_student[adtrs]", "predict[adtrs]"},
    "models/rkiqt/nar_teacher.py": {"pretrain_teacher[nar]", "train_student[rkiqt]", "predict[rkiqt]"},
    "models/rkiqt/distillation.py": {"train_student[rkiqt]", "predict[rkiqt]"},
    "training/deep/epoch_plan.py": DEEP,
    "evaluation/bootstrap.py": {"evaluate", "compare"},
    "figures/sensitivity.py": {"plot_metrics[sensitivity]", "render_report"},
    "report/tables.py": {"render_report"},
    "cli/score.py": set(),
    "scoring/score.py": set(),
    "config/checks/study_checks.py": set(),
}

PROGRAM = """
import json, pathlib, sys
import yaml
from iqadistill import provenance
from iqadistill.config import Plan, check_study

def label(job):
    entry = {
        "sample_patches": lambda: json.loads(job.params["sampler"])["method"],
        "select_patches": lambda: json.loads(job.params["selector"])["method"],
        "train_student": lambda: job.names["student"], "predict": lambda: job.names["student"],
        "pretrain_teacher": lambda: job.names["teacher"],
        "plot_metrics": lambda: json.loads(job.params["experiment"])["figure"],
        "plot_budgets": lambda: json.loads(job.params["experiment"])["figure"],
        "plot_selection": lambda: json.loads(job.params["experiment"])["figure"],
    }.get(job.rule)
    return f"{job.rule}[{entry()}]" if entry else job.rule

study = yaml.safe_load(pathlib.Path("config.yaml").read_text())
study["datasets"]["kadid10k"] = {}
official = {"name": "official", "figure": "rate_sweep", "datasets": ["kadid10k"], "samplers": ["random_crops"]}
study["experiments"].append(official)
jobs = {(label(job), job.modules, job.rule) for job in Plan(check_study(study)).jobs.values()}

# Evaluates a function of a file again only if the text of the file has changed.
def by_content(function):
    known = {}
    def evaluate(file):
        key = file, file.read_text()
        if key not in known:
            known[key] = function(file)
        return known[key]
    return evaluate

provenance._parse = by_content(provenance._parse.__wrapped__)
provenance._tree = by_content(provenance._tree.__wrapped__)
provenance._imports = by_content(provenance._imports)

def script(rule):
    return f"workflow_scripts/{'predict' if rule == 'predict_cross' else rule}.py"

def digests():
    for cached in ("_closure", "_package_imports", "_defining_module", "_module_file"):
        getattr(provenance, cached).cache_clear()
    return {(name, modules): provenance.code_digest(script(rule), modules) for name, modules, rule in jobs}

before = digests()
assert digests() == before
reruns = {}
texts = {name: pathlib.Path("iqadistill", name).read_text() for name in json.loads(sys.argv[1])}
for name, text in texts.items():
    file = pathlib.Path("iqadistill", name)
    file.write_text(text + "\\n\\nEDITED = 1\\n")
    after = digests()
    file.write_text(text + "\\n\\n# a comment\\n")
    reruns[name] = sorted({key[0] for key in before if after[key] != before[key]})
assert digests() == before
sizes = {name: len(provenance.code_modules(script(rule), modules)) for name, modules, rule in jobs}
print(json.dumps({"reruns": reruns, "sizes": sizes}))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Jobs that rerun after each edit of a copy of the package, and the number of modules each job depends on."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("iqadistill", "workflow_scripts"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "config.yaml", folder)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(list(EDITS))],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("file", EDITS)
def test_edit_reruns_exactly_the_dependent_jobs(measured, file):
    assert set(measured["reruns"][file]) == EDITS[file]


@pytest.mark.parametrize(
    ("job", "most"),
    [
        ("split_dataset", 10),
        ("predict_mlps", 23),
        ("index_dataset", 29),
        ("evaluate", 20),
        ("compare", 25),
        ("collect_costs", 8),
    ],
)
def test_jobs_depend_on_few_modules(measured, job, most):
    assert measured["sizes"][job] <= most
