"""`iqadistill cost`: prices as text and JSON, of main tables, of several studies; README's table of them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from iqadistill.cli import main
from iqadistill.config import Plan, check_study

REPOSITORY = Path(__file__).parents[3]
STUDIES = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


def trainings(plan):
    """Networks that a study trains."""
    mlps = sum(len(variants) * len(plan.splits_of(job.dataset)) for job, variants in plan.mlp_jobs.items())
    chosen = sum(
        len(plan.random_splits_of(job.dataset)) * (1 + len(budgets) * (99 + len(choosers)))
        for job, (budgets, choosers) in plan.choices.items()
    )
    draws = sum(len(plan.splits_of(job.dataset)) * sum(rates.values()) for job, rates in plan.random_draws.items())
    deep = len(plan.student_jobs) + len(plan.draw_jobs) + len(plan.teacher_jobs)
    return mlps + chosen + draws + deep


@pytest.fixture
def study(tmp_path):
    """A small study file with a main table."""
    raw = {
        "name": "small",
        "datasets": {"gallery2d": {}},
        "samplers": {"random_crops": {"count": 4, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"residual": {"n_components": 2}, "kcenter": {}},
        "keep": [0.5, 1.0],
        "students": {"mlp": {"hidden": [8], "dropout": [0.0]}},
        "experiments": [
            {"figure": "rate_sweep"},
            {"figure": "controls", "selectors": ["residual"], "keep": [0.5], "headline": True},
        ],
    }
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


def test_cost_as_text_and_json(study, capsys):
    assert main(["cost", "--configfile", str(study), "--tflops", "30"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^train_mlps +1 +40 ", text, re.MULTILINE)
    assert main(["cost", "--configfile", str(study), "--tflops", "30", "--json"]) == 0
    price = json.loads(capsys.readouterr().out)
    assert price["study"] == "small" and price["total"]["trainings"] == 40 and price["rates"]["card"]


def test_headline_costs_less(study, capsys):
    totals = []
    for arguments in ([], ["--headline"]):
        assert main(["cost", "--configfile", str(study), "--tflops", "30", "--json", *arguments]) == 0
        totals.append(json.loads(capsys.readouterr().out)["total"])
    assert totals[1]["trainings"] == 30 < totals[0]["trainings"]
    assert all(totals[1][key] < totals[0][key] for key in ("jobs", "flops", "seconds", "disk"))


def test_table_has_a_row_for_main_tables(study, capsys):
    assert main(["cost", "--table", str(study)]) == 0
    rows = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == ["small", "small, main tables"]


def test_table_is_written_between_its_marks(study, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- prices -->\nold\n<!-- end of prices -->\nafter\n")
    assert main(["cost", "--table", str(study), "--readme", str(readme)]) == 0
    table = capsys.readouterr().out
    assert readme.read_text() == f"before\n<!-- prices -->\n{table}<!-- end of prices -->\nafter\n"
    readme.write_text("no marks\n")
    assert main(["cost", "--table", str(study), "--readme", str(readme)]) == 2
    assert "<!-- prices -->" in capsys.readouterr().err


def test_wrong_arguments_are_refused(study, capsys):
    assert main(["cost", "--configfile", "nosuch.yaml"]) == 2
    assert "nosuch.yaml: no such study file" in capsys.readouterr().err
    assert main(["cost", "--configfile", str(study), "--tflops", "30", "--cores", "0"]) == 2
    with pytest.raises(SystemExit):
        main(["cost", "--tflops", "-1"])
    text = study.read_text().replace("headline: true", "headline: false")
    study.write_text(text)
    assert main(["cost", "--configfile", str(study), "--headline"]) == 2
    assert "headline: true" in capsys.readouterr().err


@pytest.mark.slow
def test_cost_measures_this_machine(study, capsys, monkeypatch):
    monkeypatch.setattr("iqadistill.pricing.calibration.SECONDS", 3.0)
    for name in ("_LAUNCH", "_IMPORTS", "_TORCH_IMPORTS", "_TIMM_IMPORTS"):
        monkeypatch.setattr(f"iqadistill.pricing.calibration.{name}", "import json")
    assert main(["cost", "--configfile", str(study), "--json"]) == 0
    rates = json.loads(capsys.readouterr().out)["rates"]
    assert rates["source"].startswith("measured here")
    assert all(value > 0 for name, value in rates.items() if name not in ("card", "source"))


def test_readme_states_jobs_and_trainings_of_every_study():
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("\n## What a study costs\n")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("| ")]
    stated = {
        cells[1].strip(): (cells[2].strip(), cells[3].strip()) for cells in (line.split("|") for line in lines[1:])
    }
    expected = {}
    for file in STUDIES:
        plan = Plan(check_study(yaml.safe_load(file.read_text(encoding="utf-8"))), REPOSITORY)
        plans = {plan.study.name: plan} | (
            {f"{plan.study.name}, main tables": plan.headline} if plan.has_headline else {}
        )
        expected |= {name: (f"{len(one.jobs):,}", f"{trainings(one):,}") for name, one in plans.items()}
    assert stated == expected, "README: the table of prices is not of the studies as they are; run `make prices`."
