"""Experiments resolved: the embedding tables, selectors, students and variants that each of them asks for."""

from collections.abc import Iterable

from iqadistill.config.study import ExperimentSettings, Study
from iqadistill.datasets.registry import DatasetRecord, dataset_record
from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.registry import FIGURES
from iqadistill.tables import ALL, RANDOM

BUDGETS = (10, 20, 40, 80)  # rated images, unless an experiment names others
CHOOSERS = ("facility", "v_optimal")
Variant = tuple[str, float]  # selector and keep rate
ALL_PATCHES: Variant = (ALL, 1.0)


def source_of(study: Study, dataset: str) -> DatasetRecord:
    """What the registry of datasets knows about a dataset of the study."""
    return dataset_record(study.datasets[dataset].source)


def kind_of(study: Study, dataset: str) -> str:
    """Whether a dataset holds panoramas ("sphere") or photographs ("flat")."""
    return study.datasets[dataset].kind or source_of(study, dataset).kind


def reads_metrics(experiment: ExperimentSettings) -> bool:
    """Whether a figure shows metrics of trained students."""
    return FIGURES.spec(experiment.figure).reads == "metrics"


def reads_budgets(experiment: ExperimentSettings) -> bool:
    """Whether a figure shows images scored from few of their patches, by students on all patches."""
    return FIGURES.spec(experiment.figure).reads == "budgets"


def reads_damage(experiment: ExperimentSettings) -> bool:
    """Whether a figure shows where images are damaged, by the patch scores of students and by rankings."""
    return FIGURES.spec(experiment.figure).reads == "damage"


def reads_patch_scores(experiment: ExperimentSettings) -> bool:
    """Whether a figure shows scores of single patches, by students on all patches."""
    return reads_budgets(experiment) or reads_damage(experiment)


def trains_students(experiment: ExperimentSettings) -> bool:
    """Whether an experiment needs trained students."""
    return reads_metrics(experiment) or reads_patch_scores(experiment)


def shows_all_patches_only(experiment: ExperimentSettings) -> bool:
    """Whether a figure on metrics compares students, encoders or samplers on all patches, without any selector."""
    spec = FIGURES.spec(experiment.figure)
    without_rate = spec.rates == "none" or (spec.rates == "at_most_one" and experiment.keep is None)
    return spec.reads == "metrics" and without_rate


def selectors_of(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Selectors of an experiment, grids replaced by their members; none where a figure shows all patches only."""
    if experiment.selectors is None:
        return [] if shows_all_patches_only(experiment) else _not_in_grids(study, study.selectors)
    return [name for given in experiment.selectors for name in study.grids.get(given, (given,))]


def students_of(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Students of an experiment, grids replaced by their members; those on frozen embeddings unless it names others."""
    if experiment.students is None:
        names = _not_in_grids(study, study.students)
        return [name for name in names if study.students[name].learns_from == "embeddings"]
    return [name for given in experiment.students for name in study.grids.get(given, (given,))]


def _not_in_grids(study: Study, names: Iterable[str]) -> list[str]:
    """Names that are no member of a grid: a grid is used where an experiment asks for it."""
    members = {name for grid in study.grids.values() for name in grid}
    return [name for name in names if name not in members]


def tables_of(study: Study, experiment: ExperimentSettings) -> list[EmbeddingTable]:
    """Embedding tables of an experiment: its datasets x the samplers that fit their kind x its encoders."""
    scored = [name for name in study.datasets if source_of(study, name).score is not None]
    return [
        EmbeddingTable(dataset, sampler, encoder)
        for dataset in experiment.datasets or scored
        for sampler in _samplers_of(study, experiment, dataset)
        for encoder in experiment.encoders or study.encoders
    ]


def _samplers_of(study: Study, experiment: ExperimentSettings, dataset: str) -> list[str]:
    """The dataset's own sampler, or those of the experiment that fit its kind."""
    own = study.datasets[dataset].sampler
    if own:
        return [own]
    names = experiment.samplers or study.samplers
    return [name for name in names if study.samplers[name].kind == kind_of(study, dataset)]


def sampler_for(study: Study, dataset: str, otherwise: str) -> str:
    """The dataset's own sampler; `otherwise` if it has none."""
    return study.datasets[dataset].sampler or otherwise


def keep_rates_of(study: Study, experiment: ExperimentSettings) -> tuple[float, ...]:
    """Keep rates of an experiment."""
    return experiment.keep or study.keep


def variants_of(study: Study, experiment: ExperimentSettings) -> set[Variant]:
    """(selector, keep rate) that an experiment trains students on.

    Random at every rate in use and all patches are always among them: a selector is measured against both. A figure
    that shows all patches only has no other variant, nor has one on patch scores.
    """
    if shows_all_patches_only(experiment) or reads_patch_scores(experiment):
        return {ALL_PATCHES}
    rates = [keep for keep in keep_rates_of(study, experiment) if keep < 1]
    return {ALL_PATCHES} | {(name, keep) for name in {*selectors_of(study, experiment), RANDOM} for keep in rates}


def tested_datasets(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Datasets that a cross_dataset experiment tests on; none for another figure."""
    if experiment.figure != "cross_dataset":
        return []
    return list(experiment.tested_on or dict.fromkeys(table.dataset for table in tables_of(study, experiment)))


def budgets_of(experiment: ExperimentSettings) -> tuple[int, ...]:
    """Numbers of training images of an experiment whose students learn from chosen ones; none for another figure."""
    return tuple(sorted(set(experiment.budgets or BUDGETS))) if FIGURES.spec(experiment.figure).chooses else ()


def choosers_of(experiment: ExperimentSettings) -> tuple[str, ...]:
    """Choosers of an experiment whose students learn from chosen images; none for another figure."""
    return experiment.choosers or CHOOSERS if FIGURES.spec(experiment.figure).chooses else ()


def resolve(study: Study, experiment: ExperimentSettings) -> Experiment:
    """The experiment with every default and grid written out, as its figure takes it."""
    return Experiment(
        name=experiment.name,
        figure=experiment.figure,
        tables=tuple(tables_of(study, experiment)),
        selectors={name: study.selectors[name].model_dump(mode="json") for name in selectors_of(study, experiment)},
        keep=keep_rates_of(study, experiment),
        students=tuple(students_of(study, experiment)),
        tested_on=tuple(tested_datasets(study, experiment)),
        budgets=budgets_of(experiment),
        choosers=choosers_of(experiment),
    )
