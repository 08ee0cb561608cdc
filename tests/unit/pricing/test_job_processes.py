"""What the processes of jobs are priced with is what their scripts import."""

import re
from pathlib import Path

import pytest

from iqadistill.cli.study_files import read_plan
from iqadistill.pricing.processes import ON_CARD, WITH_TIMM, imports_torch
from iqadistill.provenance import code_modules

REPOSITORY = Path(__file__).parents[3]


def imports(package, script, modules):
    """Whether a module of the package behind a script, or one beside it, imports a package when it is imported."""
    names = code_modules(script, modules)
    files = [REPOSITORY / f"{name.replace('.', '/')}" for name in names]
    files = [folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py") for folder in files]
    statement = re.compile(rf"^(import|from) {package}\b", re.MULTILINE)
    return any(statement.search(file.read_text()) for file in [*files, script])


@pytest.mark.parametrize("study", ["config.yaml", "studies/paper_selection360.yaml"])
def test_jobs_start_with_torch_where_their_code_imports_it(study):
    jobs = {(job.rule, job.modules): job for job in read_plan(REPOSITORY / study).jobs.values()}
    for job in jobs.values():
        if job.rule == "render_report":  # names the files of figures for their captions, which it does not import
            continue
        script = REPOSITORY / "workflow_scripts" / f"{job.rule.replace('_cross', '')}.py"
        assert imports_torch(job) == imports("torch", script, job.modules), job.output
        assert (job.rule in WITH_TIMM) == imports("timm", script, job.modules), job.output


def test_cards_are_priced_for_the_rules_that_ask_for_one():
    rules = [
        rule for file in REPOSITORY.glob("rules/*.smk") for rule in re.split("^rule ", file.read_text(), flags=re.M)
    ]
    assert {rule.split(":")[0] for rule in rules if "gpu=GPU" in rule} == set(ON_CARD)
