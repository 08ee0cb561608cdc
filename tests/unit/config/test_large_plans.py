"""Planning takes time in proportion to the number of jobs: nothing that every job does grows with the study."""

import re
import sys
from collections import Counter
from pathlib import Path

from iqadistill.config import Plan, check_study
from iqadistill.figures.registry import FIGURES

REPOSITORY = Path(__file__).parents[3]


def planned(splits):
    """The plan of a study whose trainings grow with its splits; it has a figure with and one without histories."""
    students = {"student": {"model": "adtrs", "backbone": "test_resnet", "weights": "none"}}
    study = {
        "name": "large",
        "datasets": {"gallery2d": {}, "noise360": {}},
        "samplers": {"random_crops": {"count": 8, "size": 32}, "lat": {"count": 8, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"kcenter": {}, "residual": {"n_components": 4}},
        "keep": [0.25, 0.5, 1.0],
        "students": students,
        "evaluation": {"splits": splits},
        "experiments": [
            {"figure": "rate_sweep", "datasets": ["gallery2d"], "students": ["student"]},
            {"figure": "curves", "datasets": ["gallery2d"], "students": ["student"]},
        ],
    }
    return Plan(check_study(study))


def calls_of_planning(splits):
    """Number of jobs, and of calls of Python functions that planning them takes."""
    plan, calls = planned(splits), 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        jobs = len(plan.jobs)
    finally:
        sys.setprofile(before)
    return jobs, calls


def test_calls_of_planning_grow_with_the_jobs():
    calls_of_planning(2)  # fills what is cached once
    few, many = (calls_of_planning(splits) for splits in (10, 80))
    assert many[0] > 7 * few[0]
    assert many[1] / many[0] < 1.2 * few[1] / few[0]


def test_only_jobs_on_the_whole_study_read_more_files_in_a_larger_one():
    def most_files(plan):
        most = Counter()
        for job in plan.jobs.values():
            most[job.rule] = max(most[job.rule], len(job.input_files))
        return most

    few, many = (most_files(planned(splits)) for splits in (2, 40))
    assert {rule for rule in many if many[rule] > few[rule]} == {
        "evaluate",
        "collect_costs",
        "plot_metrics",
        "render_report",
    }


def test_figures_read_the_histories_of_all_trainings_only_where_they_show_them():
    jobs = [job for job in planned(4).jobs.values() if job.rule == "plot_metrics"]
    read = {job.wildcards["experiment"]: bool(job.inputs["histories"]) for job in jobs}
    assert read == {"rate_sweep": False, "curves": True}
    shown = {name for name, spec in FIGURES.items() if spec.histories}
    drawn = {file.stem for file in (REPOSITORY / "iqadistill/figures").glob("*.py") if ".histories" in file.read_text()}
    assert shown == drawn


def test_snakemake_is_given_functions_with_their_signatures():
    text = (REPOSITORY / "rules/common.smk").read_text()
    functions = re.findall(r"^.*\n.*\blambda (?:wildcards)", text, flags=re.MULTILINE)
    assert functions and all("with_signature(" in function for function in functions)
