"""Jobs that measure what a figure alone shows, and draw figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.config.experiments import (
    budgets_of,
    choosers_of,
    reads_budgets,
    reads_damage,
    reads_metrics,
    resolve,
    selectors_of,
    source_of,
    students_of,
    tables_of,
)
from iqadistill.config.jobs.files import Files
from iqadistill.config.jobs.job import Job, dump, text
from iqadistill.config.jobs.layout import PATHS, path_of
from iqadistill.config.jobs.trainings import MlpJob
from iqadistill.config.study import ExperimentSettings
from iqadistill.encoders.registry import ENCODERS
from iqadistill.figures.captions import render_text
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.registry import FIGURES
from iqadistill.models.registry import STUDENTS
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import RANDOM


def budgets_jobs(plan: Files, experiment: ExperimentSettings) -> Iterator[Job]:
    """Score and time images by few patches, for a figure that shows it."""
    tables = tables_of(plan.study, experiment)
    names = [name for name in selectors_of(plan.study, experiment) if plan.study.selectors[name].method != RANDOM]
    selectors = {name: plan.study.selectors[name] for name in names}
    weighted = {name: settings for name, settings in selectors.items() if settings.stands_for_nearest}
    mlps = [MlpJob(*table, student) for table in tables for student in students_of(plan.study, experiment)]
    tabled = {
        "images": [plan.images_file(table.dataset) for table in tables],
        "patches": [plan.patches_file(table.dataset, table.sampler) for table in tables],
        "embeddings": [plan.embeddings_file(table) for table in tables],
    }
    inputs = {
        **tabled,
        "splits": [plan.splits_file(table.dataset) for table in tables],
        "selections": [file for table in tables for file in plan.selection_files(table, names)],
        "scores": _patch_scores_files(plan, experiment),
    }
    shared: dict[str, Any] = {"students": len(mlps) // len(tables), "seed": plan.study.seed}
    params = {
        **shared,
        "selectors": text(names),
        "weighted": text({name: dump(settings) for name, settings in weighted.items()}),
        "official": text(plan.official_splits),
        "margin": plan.study.evaluation.margin,
    }
    modules = tuple(sorted({SELECTORS.module(settings.method) for settings in weighted.values()}))
    wildcards = {"study": plan.results_name, "experiment": experiment.name}
    yield Job("score_budgets", wildcards, {}, inputs, params, modules)
    encoders = [plan.study.encoders[table.encoder] for table in tables]
    timed = {
        **tabled,
        "weights": [PATHS["train_mlps"].format(study=plan.results_name, **vars(job)) for job in mlps],
        "weights_file": sorted({file for encoder in encoders for file in encoder.files()}),
    }
    params = {
        **shared,
        "names": text([vars(job) for job in mlps]),
        "selectors": text({name: dump(settings) for name, settings in selectors.items()}),
        "encoders": text([dump(encoder) for encoder in encoders]),
    }
    used = {SELECTORS.module(settings.method) for settings in selectors.values()}
    used |= {ENCODERS.module(encoder.backend) for encoder in encoders}
    used |= {STUDENTS.module(plan.study.students[job.student].model) for job in mlps}
    yield Job("time_budgets", wildcards, {}, timed, params, tuple(sorted(used)))


def damage_job(plan: Files, experiment: ExperimentSettings) -> Job:
    """Compare patch scores and rankings with the damaged regions, for a figure that shows it."""
    tables, selectors = tables_of(plan.study, experiment), selectors_of(plan.study, experiment)
    inputs = {
        "images": [plan.images_file(table.dataset) for table in tables],
        "patches": [plan.patches_file(table.dataset, table.sampler) for table in tables],
        "selections": [file for table in tables for file in plan.selection_files(table, selectors)],
        "scores": _patch_scores_files(plan, experiment),
    }
    params = {
        "tables": text([(table.sampler, table.encoder) for table in tables]),
        "students": text(students_of(plan.study, experiment)),
        "selectors": text(selectors),
        "official": text(plan.official_splits),
        "draws": plan.study.evaluation.bootstrap,
        "seed": plan.study.seed,
    }
    wildcards = {"study": plan.results_name, "experiment": experiment.name}
    return Job("score_damage", wildcards, {}, inputs, params)


def _patch_scores_files(plan: Files, experiment: ExperimentSettings) -> list[str]:
    """Scores of single patches: all students of the first embedding table, then those of the second, and so on."""
    return [
        PATHS["predict_patches"].format(study=plan.results_name, **vars(MlpJob(*table, student)))
        for table in tables_of(plan.study, experiment)
        for student in students_of(plan.study, experiment)
    ]


def plot_job(plan: Files, experiment: ExperimentSettings, shown: Mapping[str, Any], params: Mapping[str, Any]) -> Job:
    """Draw the figure of an experiment; `shown` holds the tables that figures on metrics read."""
    wildcards = {"study": plan.results_name, "experiment": experiment.name}
    selectors = selectors_of(plan.study, experiment)
    methods = sorted({plan.study.selectors[name].method for name in selectors})
    ranking = methods if FIGURES.spec(experiment.figure).ranks else []
    modules = (FIGURES.module(experiment.figure), *(SELECTORS.module(method) for method in ranking))
    looks = [(SELECTORS[method].label, SELECTORS[method].colour, SELECTORS[method].marker) for method in methods]
    resolved = resolve(plan.study, experiment)
    drawn = {"experiment": resolved.model_dump_json(), "looks": text(looks), "caption": _caption(plan, resolved)}
    if reads_metrics(experiment):
        sources = {name: plan.study.datasets[name].source for name in plan.shown_datasets}
        histories = shown["histories"] if FIGURES.spec(experiment.figure).histories else []
        shown = {**shown, "histories": histories, "choices": _choices_files(plan, experiment)}
        given: dict[str, Any] = {
            **drawn,
            **params,
            "sources": text(sources),
            "margin": plan.study.evaluation.margin,
        }
        modules = (*modules, *(CHOOSERS.module(name) for name in choosers_of(experiment)))
        return Job("plot_metrics", wildcards, {}, shown, given, modules)
    tables = tables_of(plan.study, experiment)
    if reads_budgets(experiment):
        inputs = {
            "images": [plan.images_file(name) for name in resolved.datasets],
            "budgets": PATHS["score_budgets"].format(**wildcards),
            "budget_times": PATHS["time_budgets"].format(**wildcards),
        }
        return Job("plot_budgets", wildcards, {}, inputs, {**drawn, "datasets": text(resolved.datasets)}, modules)
    if reads_damage(experiment):
        damage = PATHS["score_damage"].format(**wildcards)
        inputs = {
            "images": [plan.images_file(table.dataset) for table in tables],
            "patches": [plan.patches_file(table.dataset, table.sampler) for table in tables],
            "damage": damage,
            "damaged_patches": path_of("score_damage", ".patches.parquet").format(**wildcards),
        }
        return Job("plot_damage", wildcards, {}, inputs, drawn, modules)
    rankings = [file for table in tables for file in plan.selection_files(table, selectors)]
    inputs = {
        "images": [plan.images_file(table.dataset) for table in tables],
        "patches": [plan.patches_file(table.dataset, table.sampler) for table in tables],
        "embeddings": [plan.embeddings_file(table) for table in tables],
        "selections": rankings,
        "traces": [file.removesuffix(".parquet") + ".trace.parquet" for file in rankings],
    }
    return Job("plot_selection", wildcards, {}, inputs, drawn, modules)


def _choices_files(plan: Files, experiment: ExperimentSettings) -> list[str]:
    """Tables of the students of chosen images that a figure shows; none for another figure."""
    tables = tables_of(plan.study, experiment) if budgets_of(experiment) else ()
    jobs = [MlpJob(*table, student) for table in tables for student in students_of(plan.study, experiment)]
    return [PATHS["train_on_chosen"].format(study=plan.results_name, **vars(job)) for job in jobs]


def _caption(plan: Files, experiment: Experiment) -> str:
    """Caption of a figure that is not drawn yet, for the archive of `snakemake --report`."""
    return render_text(
        experiment.figure,
        "caption",
        study=plan.study.model_dump(mode="json"),
        settings=experiment.caption_settings,
        simulated=[name for name in sorted(experiment.datasets) if source_of(plan.study, name).simulated],
    )
