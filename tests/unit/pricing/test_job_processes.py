"""What the processes of jobs are priced with is what their scripts import."""

import re
from pathlib import Path

import pytest
import yaml

from iqadistill.cli.study_files import read_plan
from iqadistill.config import Plan, check_study
from iqadistill.pricing.processes import ON_CARD, WITH_TIMM, imports_torch
from iqadistill.provenance import code_modules

REPOSITORY = Path(__file__).parents[3]
SCRIPTS = {"predict_cross": "predict", "embed_shard": "embed_patches"}
NOT_IMPORTED = {"render_report", "gather_shards"}  # name files for captions, or for what other jobs did with them


def imports(package, script, modules):
    """Whether a module of the package behind a script, or one beside it, imports a package when it is imported."""
    names = code_modules(script, modules)
    files = [REPOSITORY / f"{name.replace('.', '/')}" for name in names]
    files = [folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py") for folder in files]
    statement = re.compile(rf"^(import|from) {package}\b", re.MULTILINE)
    return any(statement.search(file.read_text()) for file in [*files, script])


@pytest.mark.parametrize("study", ["config.yaml", "studies/paper_selection360.yaml", "in parts"])
def test_jobs_start_with_torch_where_their_code_imports_it(study, tmp_path):
    if study == "in parts":
        raw = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
        raw["datasets"] = {name: {**(entry or {}), "shards": 2} for name, entry in raw["datasets"].items()}
        plan = Plan(check_study(raw), tmp_path)
        assert {"embed_shard", "gather_shards"} <= {job.rule for job in plan.jobs.values()}
    else:
        plan = read_plan(REPOSITORY / study)
    jobs = {(job.rule, job.modules): job for job in plan.jobs.values()}
    for job in jobs.values():
        script = REPOSITORY / "workflow_scripts" / f"{SCRIPTS.get(job.rule, job.rule)}.py"
        modules = () if job.rule in NOT_IMPORTED else job.modules
        assert imports_torch(job) == imports("torch", script, modules), job.output
        assert (job.rule in WITH_TIMM) == imports("timm", script, modules), job.output


def test_cards_are_priced_for_the_rules_that_ask_for_one():
    rules = [
        rule for file in REPOSITORY.glob("rules/*.smk") for rule in re.split("^rule ", file.read_text(), flags=re.M)
    ]
    assert {rule.split(":")[0] for rule in rules if "gpu=GPU" in rule} == set(ON_CARD)
