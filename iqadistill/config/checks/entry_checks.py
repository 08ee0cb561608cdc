"""Checks of a study's entries: sources, folds, samplers, and names that are defined."""

from collections.abc import Iterator

from iqadistill.config.experiments import kind_of, selectors_of, source_of, tables_of, trains_students
from iqadistill.config.primaries import primaries_of
from iqadistill.config.study import EvaluationSettings, ExperimentSettings, Study
from iqadistill.datasets.registry import RENAMED as RENAMED_SOURCES
from iqadistill.datasets.registry import list_datasets
from iqadistill.datasets.repeated_kfold import count_folds
from iqadistill.errors import InputError, nearest
from iqadistill.models.settings import StudentSettings

AXES = ("datasets", "samplers", "encoders", "selectors", "students")


def check_test_patches(study: Study) -> None:
    """Patches that score an image are limited in one way, by the evaluation and by a student's own settings."""
    evaluation = study.evaluation
    scorings: list[tuple[str, EvaluationSettings | StudentSettings]] = [("evaluation", evaluation)]
    scorings += [(f"students.{name}", student) for name, student in study.students.items()]
    for where, own in scorings:
        kept = (own.test_patches or evaluation.test_patches) == "kept"
        if kept and (own.max_test_patches or evaluation.max_test_patches):
            raise InputError(
                f"{where}.max_test_patches: limits all sampled patches, but test_patches: kept leaves the choice to the"
                " selectors; remove one of the two."
            )


def check_folds(study: Study) -> None:
    """Folds have the size that is asked for."""
    evaluation = study.evaluation
    drawn = any("random" in dataset.splits for dataset in study.datasets.values())
    if drawn and evaluation.protocol == "repeated_kfold":
        count_folds(evaluation.test_fraction)


def check_sources(study: Study) -> None:
    """Every dataset has a known source, and asks of it only what it has."""
    known = list_datasets()
    for name, entry in study.datasets.items():
        if entry.source in RENAMED_SOURCES:
            raise InputError(
                f"datasets.{name}.source: {entry.source!r} is called {RENAMED_SOURCES[entry.source]!r}; write that."
            )
        if entry.source not in known:
            hint = nearest(entry.source, known)
            raise InputError(
                f"datasets.{name}.source: unknown source {entry.source!r} (your own images: images); {hint}"
            )
        record = source_of(study, name)
        if entry.url and record.origin != "archive":
            raise InputError(f"datasets.{name}.url: source {entry.source!r} has no archive to download; remove url.")
        for kind in entry.splits:
            if kind not in record.splits:
                raise InputError(f"datasets.{name}.splits: source {entry.source!r} has no {kind} split; remove it.")


def check_names(study: Study) -> None:
    """Experiments name entries and grids that are defined, and have names of their own."""
    for where, experiment in named_experiments(study):
        for axis in AXES:
            entries = getattr(study, axis)
            known = [*entries, *(grid for grid, members in study.grids.items() if members[0] in entries)]
            for name in getattr(experiment, axis) or ():
                if name not in known:
                    raise InputError(f"{where}.{axis}: {name!r} is not defined; {nearest(name, known)}")
    names = [experiment.name for experiment in study.experiments]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"experiments: {name!r} is given twice; give each experiment a name.")


def check_own_samplers(study: Study) -> None:
    """A dataset's own sampler is defined and fits its images."""
    for name, entry in study.datasets.items():
        if entry.sampler is None:
            continue
        where = f"datasets.{name}.sampler"
        if entry.sampler not in study.samplers:
            raise InputError(f"{where}: {entry.sampler!r} is not defined; {nearest(entry.sampler, study.samplers)}")
        if study.samplers[entry.sampler].kind != kind_of(study, name):
            raise InputError(
                f"{where}: {entry.sampler!r} does not fit the {kind_of(study, name)} images of {name!r}; name one that"
                " does."
            )


def check_tables(study: Study) -> None:
    """Experiments have embedding tables: samplers that fit their datasets, encoders that fit the samplers."""
    for where, experiment in named_experiments(study):
        tables = tables_of(study, experiment)
        if not tables:
            raise InputError(
                f"{where}: no sampler fits its datasets; panoramas take erp, lat, sp or sphere, flat images crops."
            )
        for table in tables:
            sampler, encoder = study.samplers[table.sampler], study.encoders[table.encoder]
            if sampler.varies_in_size and encoder.size is None:
                raise InputError(
                    f"encoders.{table.encoder}.size: missing; crops of sampler {table.sampler!r} differ in size"
                    f" (longer_side or small_images), so the encoder used in {where} must resize them to one size, such"
                    f" as {sampler.size}."
                )
            for name in selectors_of(study, experiment):
                least = study.selectors[name].least_patches
                if least > sampler.count:
                    raise InputError(
                        f"selectors.{name}.n_components: h = {least} exceeds the {sampler.count} patches of sampler"
                        f" {table.sampler!r} used in {where}; lower it or sample more."
                    )


def check_scored(study: Study) -> None:
    """Figures on metrics show datasets with scores."""
    for where, experiment in named_experiments(study):
        unscored = [t.dataset for t in tables_of(study, experiment) if source_of(study, t.dataset).score is None]
        if unscored and trains_students(experiment):
            raise InputError(f"{where}.datasets: {unscored[0]!r} has no scores to learn from; remove it.")


def check_primaries(study: Study) -> None:
    """Primary comparisons name what is defined, fit their dataset and compare two different variants."""
    primaries_of(study)


def named_experiments(study: Study) -> Iterator[tuple[str, ExperimentSettings]]:
    """Experiments with how messages name them."""
    for position, experiment in enumerate(study.experiments):
        yield f"experiments[{position}] ({experiment.name})", experiment
