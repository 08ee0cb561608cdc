"""Jobs on the study as a whole: metrics, comparisons, costs, figures and report."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from iqadistill.config.experiments import reads_budgets, reads_damage, resolve
from iqadistill.config.jobs.figure_jobs import budgets_jobs, damage_job, plot_job
from iqadistill.config.jobs.files import Files
from iqadistill.config.jobs.job import Job, has_sidecar, text
from iqadistill.config.jobs.layout import COUNTED, PREDICTIONS, TEMPORARY, path_of
from iqadistill.figures.registry import FIGURES


def study_jobs(plan: Files, work: Iterable[Job]) -> Iterator[Job]:
    """Evaluate, compare, list costs, draw figures and write the report; `work` holds all jobs before these."""
    study, evaluation = {"study": plan.results_name}, plan.study.evaluation
    trained = {
        "images": [plan.images_file(name) for name in plan.shown_datasets],
        "splits": [plan.splits_file(name) for name in plan.trained_datasets],
    }
    predicted = [job for rule in PREDICTIONS for job in work if job.rule == rule]
    predictions = [job.output for job in predicted if "draw" not in job.names]
    drawn = [job for job in predicted if "draw" in job.names]
    params = {
        "datasets": text(plan.trained_datasets),
        "tested": text(plan.shown_datasets),
        "official": text(plan.official_splits),
        "logistic": evaluation.logistic,
        "draws": evaluation.bootstrap,
        "seed": plan.study.seed,
    }
    evaluated = Job("evaluate", study, inputs={**trained, "predictions": predictions}, params=params)
    yield evaluated
    inputs = {
        **trained,
        "metrics": evaluated.output,
        "predictions": f"results/studies/{plan.results_name}/predictions.parquet",
        "random": [job.output for job in work if job.rule == "train_random_draws"],
        "drawn": [job.output for job in drawn],
    }
    decided: dict[str, Any] = {
        **params,
        "primary": text([asdict(primary) for primary in plan.primaries]),
        "margin": evaluation.margin,
        "drawn": text([job.names["draw"] for job in drawn]),
    }
    compared = Job("compare", study, inputs=inputs, params=decided)
    yield compared
    costs = _costs_job(plan, work)
    yield costs
    shown: dict[str, Any] = {
        "images": [plan.images_file(name) for name in plan.shown_datasets],
        "summary": f"results/studies/{plan.results_name}/summary.parquet",
        "distortions": f"results/studies/{plan.results_name}/distortions.parquet",
        "comparisons": compared.output,
        "costs": costs.output,
    }
    shown_params = {"datasets": text(plan.shown_datasets), "official": text(plan.official_splits)}
    histories = [path_of("train_mlps", ".history.parquet").format(**study, **vars(job)) for job in plan.mlp_jobs]
    histories += [
        path_of("train_student", ".history.parquet").format(**plan.student_wildcards(job)) for job in plan.student_jobs
    ]
    shown["histories"] = histories
    for experiment in plan.study.experiments:
        if reads_budgets(experiment):
            yield from budgets_jobs(plan, experiment)
        if reads_damage(experiment):
            yield damage_job(plan, experiment)
        yield plot_job(plan, experiment, shown, shown_params)
    alone = {
        name: f"results/studies/{plan.results_name}/{name}.parquet" for name in ("official", "stability", "verdicts")
    }
    measured = {"metrics": evaluated.output, "splits": trained["splits"]}
    named = {**shown_params, "trained": text(plan.trained_datasets)}
    yield _report_job(plan, {**shown, **alone, **measured}, named)


def _costs_job(plan: Files, work: Iterable[Job]) -> Job:
    jobs = [job for job in work if job.rule in COUNTED]
    facts = [
        {
            "rule": job.rule,
            "names": dict(job.names),
            "benchmark": job.benchmark,
            "sidecar": job.file(".json") if has_sidecar(job) else None,
        }
        for job in jobs
    ]
    inputs = {"files": [job.output for job in jobs if job.rule not in TEMPORARY]}
    return Job("collect_costs", {"study": plan.results_name}, inputs=inputs, params={"jobs": text(facts)})


def _report_job(plan: Files, shown: Mapping[str, Any], params: Mapping[str, Any]) -> Job:
    folder = f"results/studies/{plan.results_name}"
    inputs = {
        "figures": [f"{folder}/figures/{name}.png" for name in plan.experiments],
        "tables": [f"{folder}/tables/{name}.parquet" for name in plan.experiments],
        **shown,
    }
    params = {
        "study": plan.study.model_dump_json(),
        "experiments": text([resolve(plan.study, e).model_dump(mode="json") for e in plan.study.experiments]),
        **params,
    }
    captions = tuple(sorted({FIGURES.module(e.figure) for e in plan.study.experiments}))
    return Job("render_report", {"study": plan.results_name}, inputs=inputs, params=params, modules=captions)
