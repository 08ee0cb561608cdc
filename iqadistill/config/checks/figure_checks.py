"""Checks that an experiment has what its figure shows, neither more nor less."""

from iqadistill.config.checks.entry_checks import named_experiments
from iqadistill.config.experiments import (
    reads_budgets,
    reads_damage,
    reads_patch_scores,
    selectors_of,
    shows_all_patches_only,
    source_of,
    students_of,
    tables_of,
    trains_students,
)
from iqadistill.config.study import Study
from iqadistill.errors import InputError
from iqadistill.figures.registry import FIGURES
from iqadistill.tables import AUTO, LEARNED, RANDOM


def check_distortion_types(study: Study) -> None:
    """Figures on types of distortion show datasets whose labels name them."""
    for where, experiment in named_experiments(study):
        if FIGURES.spec(experiment.figure).distortions:
            for table in tables_of(study, experiment):
                if not source_of(study, table.dataset).distortion_types:
                    raise InputError(
                        f"{where}.datasets: the labels of {table.dataset!r} name no types of distortion, which figure"
                        f" {experiment.figure} shows; name other datasets."
                    )


def check_local_damage(study: Study) -> None:
    """Figures on local damage show datasets whose labels name the damaged region of each image, or may do so."""
    for where, experiment in filter(lambda named: reads_damage(named[1]), named_experiments(study)):
        for table in tables_of(study, experiment):
            source = source_of(study, table.dataset)
            if source.local_damage_of is None and source.origin != "folder":
                raise InputError(
                    f"{where}.datasets: the images of {table.dataset!r} are not damaged in one region each, which"
                    f" figure {experiment.figure} shows; name datasets such as gallery360_local."
                )


def check_figure_rates(study: Study) -> None:
    """A figure is given the keep rates and selectors that it shows, neither more nor fewer."""
    for where, experiment in named_experiments(study):
        spec = FIGURES.spec(experiment.figure)
        rates = [rate for rate in experiment.keep or study.keep if rate < 1]
        needs_rate = spec.rates == "one" or (spec.rates == "at_most_one" and not shows_all_patches_only(experiment))
        if needs_rate and len(rates) != 1:
            raise InputError(
                f"{where}.keep: figure {experiment.figure} shows one keep rate below 1, found {rates}; give one, such"
                " as keep: [0.4], and an experiment for each further rate."
            )
        if spec.rates == "at_most_one" and experiment.selectors is not None and experiment.keep is None:
            raise InputError(
                f"{where}.keep: missing; figure {experiment.figure} shows selectors at one keep rate: give it, such as"
                " keep: [0.4], or remove selectors to show all patches."
            )
        if reads_budgets(experiment) and experiment.keep is not None:
            raise InputError(
                f"{where}.keep: figure {experiment.figure} shows 1, 2, 3, 4, 8, ... patches of an image; remove keep."
            )
        if reads_budgets(experiment) and (taken := {LEARNED, AUTO}.intersection(selectors_of(study, experiment))):
            raise InputError(
                f"{where}.selectors: {', '.join(sorted(taken))} is a row of figure {experiment.figure} already;"
                " give the selector another name."
            )
        if reads_damage(experiment) and experiment.keep is not None:
            raise InputError(f"{where}.keep: figure {experiment.figure} shows whole rankings; remove keep.")
        for key in ("selectors", "keep"):
            if shows_all_patches_only(experiment) and getattr(experiment, key) is not None:
                raise InputError(
                    f"{where}.{key}: figure {experiment.figure} shows all patches only; remove {key}, or compare"
                    " selectors in a rate_sweep or controls experiment."
                )


def check_figure_needs(study: Study) -> None:
    """Selectors, students and embedding tables of an experiment are such that its figure can show them all."""
    for where, experiment in named_experiments(study):
        spec, figure = FIGURES.spec(experiment.figure), f"figure {experiment.figure}"
        selectors, students = selectors_of(study, experiment), students_of(study, experiment)
        if trains_students(experiment) and not students:
            raise InputError(
                f"{where}.students: {figure} shows students on embeddings unless others are named, and the study has"
                " none; name students, or add an mlp to students."
            )
        told_apart: dict[tuple[object, ...], str] = {}
        for name in selectors:
            settings = study.selectors[name]
            if spec.ranks and settings.needs_patches:
                raise InputError(
                    f"{where}.selectors: {figure} ranks embeddings of its own, which have no place for {name!r}; name"
                    " other selectors."
                )
            missing = [setting for setting in spec.needs if setting not in type(settings).model_fields]
            if missing:
                raise InputError(
                    f"{where}.selectors: {figure} shows {missing[0]}, which {name!r} does not have; name selectors that"
                    " do."
                )
            other = told_apart.setdefault(tuple(getattr(settings, setting) for setting in spec.needs), name)
            if spec.needs and other != name:
                raise InputError(
                    f"{where}.selectors: {figure} tells selectors apart by {' and '.join(spec.needs)}, which {other!r}"
                    f" and {name!r} have in common; name one of them."
                )
        for key, given, most in (
            ("selectors", selectors, spec.most_selectors),
            ("datasets", tables_of(study, experiment), spec.most_tables),
            ("students", students if trains_students(experiment) else [], 1 if spec.one_student else None),
        ):
            if most is not None and len(given) > most:
                what = "combinations of dataset, sampler and encoder" if key == "datasets" else key
                raise InputError(
                    f"{where}.{key}: {figure} shows {most} at most, found {len(given)} {what}; name fewer."
                )
        for name in students:
            learns_from = study.students[name].learns_from
            if reads_patch_scores(experiment) and learns_from != "embeddings":
                raise InputError(
                    f"{where}.students: {name!r} learns from {learns_from}, and {figure} shows patch scores of students"
                    " on embeddings; name an mlp."
                )
            if spec.students == "pixels" and learns_from != "pixels":
                raise InputError(f"{where}.students: {name!r} learns from {learns_from}; name deep students only.")
            if spec.students == "measured" and learns_from == "predictions":
                raise InputError(
                    f"{where}.students: what {name!r} costs is not known, for another tool made its predictions; name"
                    " other students."
                )
            if spec.students == "embeddings" and learns_from != "embeddings":
                raise InputError(
                    f"{where}.students: {name!r} learns from {learns_from}, and {figure} trains hundreds of students;"
                    " name an mlp."
                )
            shows_rates = spec.rates != "none" and not shows_all_patches_only(experiment)
            shows_patches = shows_rates or spec.one_student or spec.students == "trained"
            if learns_from in ("images", "predictions") and shows_patches:
                raise InputError(
                    f"{where}.students: {name!r} has no patches to select or encode; name it in an experiment with"
                    " figure students."
                )


def check_choosers(study: Study) -> None:
    """Choosers and numbers of rated images are given to a figure that shows them, and random is no chooser there."""
    for where, experiment in named_experiments(study):
        for key in ("budgets", "choosers"):
            if getattr(experiment, key) is not None and not FIGURES.spec(experiment.figure).chooses:
                raise InputError(
                    f"{where}.{key}: figure {experiment.figure} shows students of all training images; remove {key}."
                )
        if RANDOM in (experiment.choosers or ()):
            raise InputError(f"{where}.choosers: {RANDOM!r} is what all others are compared with; remove it.")
