"""Checks of what no single setting shows: names exist, kinds fit, and images that teach are never tested on."""

from collections.abc import Callable, Iterator

from iqadistill.config.experiments import (
    kind_of,
    reads_budgets,
    reads_damage,
    reads_metrics,
    reads_patch_scores,
    selectors_of,
    shows_all_patches_only,
    source_of,
    students_of,
    tables_of,
    tested_datasets,
    trains_students,
)
from iqadistill.config.jobs import EVERY_IMAGE, Plan, StudentJob
from iqadistill.config.primaries import primaries_of
from iqadistill.config.study import EvaluationSettings, ExperimentSettings, Study
from iqadistill.datasets.registry import RENAMED as RENAMED_SOURCES
from iqadistill.datasets.registry import list_datasets
from iqadistill.datasets.repeated_kfold import count_folds
from iqadistill.errors import InputError, nearest
from iqadistill.figures.registry import FIGURES
from iqadistill.models.registry import TARGET
from iqadistill.models.settings import ImageStudentSettings, StudentSettings
from iqadistill.models.students.external import ExternalSettings
from iqadistill.tables import ALL, AUTO, LEARNED, RANDOM

AXES = ("datasets", "samplers", "encoders", "selectors", "students")


def check_study_entries(study: Study) -> None:
    """Run every check; the first that fails names the experiment or entry, what was expected and what to do.

    Raises:
        InputError: A check failed.
    """
    for check in EARLY_CHECKS:
        check(study)
    plan = Plan(study)
    for check_plan in CHECKS:
        check_plan(plan)


# Checks of the study's entries and experiments alone


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
    for where, experiment in _experiments(study):
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
    for where, experiment in _experiments(study):
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
    for where, experiment in _experiments(study):
        unscored = [t.dataset for t in tables_of(study, experiment) if source_of(study, t.dataset).score is None]
        if unscored and trains_students(experiment):
            raise InputError(f"{where}.datasets: {unscored[0]!r} has no scores to learn from; remove it.")


def check_primaries(study: Study) -> None:
    """Primary comparisons name what is defined, fit their dataset and compare two different variants."""
    primaries_of(study)


def check_distortion_types(study: Study) -> None:
    """Figures on types of distortion show datasets whose labels name them."""
    for where, experiment in _experiments(study):
        if FIGURES.spec(experiment.figure).distortions:
            for table in tables_of(study, experiment):
                if not source_of(study, table.dataset).distortion_types:
                    raise InputError(
                        f"{where}.datasets: the labels of {table.dataset!r} name no types of distortion, which figure"
                        f" {experiment.figure} shows; name other datasets."
                    )


def check_local_damage(study: Study) -> None:
    """Figures on local damage show datasets whose labels name the damaged region of each image, or may do so."""
    for where, experiment in filter(lambda named: reads_damage(named[1]), _experiments(study)):
        for table in tables_of(study, experiment):
            source = source_of(study, table.dataset)
            if source.local_damage_of is None and source.origin != "folder":
                raise InputError(
                    f"{where}.datasets: the images of {table.dataset!r} are not damaged in one region each, which"
                    f" figure {experiment.figure} shows; name datasets such as gallery360_local."
                )


def check_figure_rates(study: Study) -> None:
    """A figure is given the keep rates and selectors that it shows, neither more nor fewer."""
    for where, experiment in _experiments(study):
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
    for where, experiment in _experiments(study):
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
    for where, experiment in _experiments(study):
        for key in ("budgets", "choosers"):
            if getattr(experiment, key) is not None and not FIGURES.spec(experiment.figure).chooses:
                raise InputError(
                    f"{where}.{key}: figure {experiment.figure} shows students of all training images; remove {key}."
                )
        if RANDOM in (experiment.choosers or ()):
            raise InputError(f"{where}.choosers: {RANDOM!r} is what all others are compared with; remove it.")


def check_image_students(study: Study) -> None:
    """Students without patches have the images or predictions that they need, and no image that they are tested on."""
    for where, experiment in _experiments(study):
        for name in students_of(study, experiment) if reads_metrics(experiment) else ():
            student = study.students[name]
            for dataset in dict.fromkeys(table.dataset for table in tables_of(study, experiment)):
                if isinstance(student, ExternalSettings) and dataset not in student.files:
                    raise InputError(
                        f"students.{name}.files: no predictions for {dataset!r}, which {where} shows; add its CSV, or"
                        " name other datasets there."
                    )
                if isinstance(student, ImageStudentSettings):
                    _check_whole_images(study, name, student, dataset)


def _check_whole_images(study: Study, name: str, student: ImageStudentSettings, dataset: str) -> None:
    if kind_of(study, dataset) != "flat":
        raise InputError(
            f"students.{name}: {student.label} scores flat images, and {dataset!r} holds panoramas; name it for other"
            " datasets."
        )
    pristine = student.pristine_dataset()
    if pristine is None:
        return
    where = f"students.{name}.pristine"
    if pristine not in study.datasets:
        raise InputError(f"{where}: {pristine!r} is not defined under datasets; {nearest(pristine, study.datasets)}")
    if kind_of(study, pristine) != "flat" or not _may_have_references(study, pristine):
        raise InputError(
            f"{where}: {pristine!r} has no pristine photographs; name a dataset with references, such as div2k."
        )
    if same_images(study, pristine, dataset):
        raise InputError(
            f"{where}: {pristine!r} holds the images of {dataset!r}, which it is tested on; name another dataset."
        )


def check_cross_tests(study: Study) -> None:
    """Students are tested across datasets of one kind that share no image."""
    for where, experiment in _experiments(study):
        if experiment.tested_on and experiment.figure != "cross_dataset":
            raise InputError(
                f"{where}.tested_on: figure {experiment.figure} tests on the dataset it trains on; remove tested_on."
            )
        tables, tested = tables_of(study, experiment), tested_datasets(study, experiment)
        for name in tested:
            if name not in study.datasets:
                raise InputError(f"{where}.tested_on: {name!r} is not defined; {nearest(name, study.datasets)}")
            if source_of(study, name).score is None:
                raise InputError(f"{where}.tested_on: {name!r} has no scores to test against; remove it.")
            for table in tables:
                if kind_of(study, table.dataset) != kind_of(study, name):
                    raise InputError(
                        f"{where}.tested_on: {name!r} holds {kind_of(study, name)} images, {table.dataset!r} others;"
                        " test within a kind."
                    )
                if name != table.dataset and same_images(study, name, table.dataset):
                    raise InputError(
                        f"{where}.tested_on: {name!r} holds the images of {table.dataset!r}, which it trains on; remove"
                        " it."
                    )
        if tested and {table.dataset for table in tables} == set(tested) and len(set(tested)) == 1:
            raise InputError(
                f"{where}.tested_on: {tested[0]!r} is the only dataset and is trained on; name another dataset."
            )


# Checks of the jobs that follow


def check_something_trains(plan: Plan) -> None:
    """A study trains a student."""
    if not plan.mlp_jobs and not plan.student_jobs:
        raise InputError("experiments: none trains a student; add one with figure rate_sweep or controls.")


def check_students(plan: Plan) -> None:
    """Deep students get patches of one size, and validation images where they wait for them."""
    for job in plan.student_jobs:
        student, sampler = plan.study.deep_students[job.student], plan.study.samplers[job.sampler]
        if sampler.varies_in_size and student.size is None:
            raise InputError(
                f"students.{job.student}.size: missing; crops of sampler {job.sampler!r} differ in size (longer_side"
                f" or small_images), so it must resize them to one size, such as {sampler.size}."
            )
        if student.crops == "fresh":
            _check_fresh_crops(f"students.{job.student}", sampler.redraws, job.sampler)
            if job.selector != ALL:
                raise InputError(
                    f"students.{job.student}.crops: fresh crops have no ranking, but an experiment trains it on those"
                    f" that {job.selector!r} keeps; name a student with crops: fixed there."
                )
        official = "official" in plan.study.datasets[job.dataset].splits
        if student.patience and not plan.study.evaluation.val_fraction and not official:
            raise InputError(
                f"students.{job.student}.patience: needs validation images, but evaluation.val_fraction is 0; raise it."
            )


def _check_fresh_crops(where: str, redraws: bool, sampler: str) -> None:
    if not redraws:
        raise InputError(
            f"{where}.crops: fresh needs a sampler of random crops, which {sampler!r} is not; use crops: fixed."
        )


def check_roles(plan: Plan) -> None:
    """Teachers are defined, of the model their role takes, and teach a student that can learn from them."""
    for name in sorted({job.student for job in plan.student_jobs}):
        student = plan.study.deep_students[name]
        for role, teacher in student.teachers().items():
            model = student.teacher_models[role]
            if plan.study.teachers[teacher].model != model:
                raise InputError(
                    f"students.{name}.{role}: {teacher!r} is a {plan.study.teachers[teacher].model}; name a teacher of"
                    f" model {model}."
                )
        teachers = {role: plan.study.teachers[teacher] for role, teacher in student.teachers().items()}
        student.check_teachers(f"students.{name}", teachers)


def check_teachers_exist(study: Study) -> None:
    """Teachers that students name are defined."""
    for name in {name for e in study.experiments for name in students_of(study, e)}:
        student = study.deep_students.get(name)
        if student is not None:
            for role, teacher in student.teachers().items():
                if teacher not in study.teachers:
                    hint = nearest(teacher, study.teachers)
                    raise InputError(f"students.{name}.{role}: {teacher!r} is not defined; {hint}")


def check_teacher_data(study: Study) -> None:
    """Datasets and samplers that teachers name are defined, fit each other, and hold what teachers need."""
    for where, name in _teachers_in_use(study):
        teacher = study.teachers[name]
        for key, dataset in (("pretrain_on", teacher.trains_on()), ("pristine", teacher.pristine_dataset())):
            if dataset not in (None, TARGET, *study.datasets):
                raise InputError(
                    f"{where}.{key}: {dataset!r} is not defined under datasets; {nearest(str(dataset), study.datasets)}"
                )
        sampler = teacher.sampler_entry()
        if sampler is not None and sampler not in study.samplers:
            raise InputError(f"{where}.sampler: {sampler!r} is not defined; {nearest(sampler, study.samplers)}")
        if teacher.trains_on() != TARGET and source_of(study, teacher.trains_on()).score is None:
            raise InputError(
                f"{where}.pretrain_on: {teacher.trains_on()!r} has no scores to learn from; name another dataset."
            )


def check_teacher_jobs(plan: Plan) -> None:
    """Patches that teachers are trained on fit the images, have one size, and there are pristine ones where needed."""
    study = plan.study
    for job in plan.teacher_jobs:
        where, teacher = f"teachers.{job.teacher}", study.teachers[job.teacher]
        needed = {"pretrain_on": (job.dataset, job.sampler)}
        references = plan.references_of(job.dataset, job.sampler, job.teacher)
        if references:
            needed["pristine"] = references
        for key, (dataset, sampler) in needed.items():
            if study.samplers[sampler].kind != kind_of(study, dataset):
                raise InputError(
                    f"{where}.sampler: {sampler!r} does not fit the {kind_of(study, dataset)} images of {dataset!r}"
                    f" ({key}); name one that does."
                )
            if study.samplers[sampler].varies_in_size and teacher.size is None:
                raise InputError(
                    f"{where}.size: missing; crops of sampler {sampler!r} differ in size (longer_side or"
                    " small_images); give a size."
                )
        if teacher.crops == "fresh":
            _check_fresh_crops(where, study.samplers[job.sampler].redraws, job.sampler)
        if references and not _may_have_references(study, references[0]):
            raise InputError(
                f"{where}.pristine: {references[0]!r} has no pristine images; name a dataset with references, such as"
                " div2k."
            )
        if teacher.patience and (job.split == EVERY_IMAGE or not study.evaluation.val_fraction):
            raise InputError(f"{where}.patience: needs validation images, of which there are none; remove patience.")


def check_taught_images(plan: Plan) -> None:
    """No image that a student is tested on teaches it, except training images of its split."""
    for job in plan.student_jobs:
        _check_taught(plan, job, job.dataset)
    for test in plan.cross_tests:
        _check_taught(plan, test.job, test.tested)


def _check_taught(plan: Plan, job: StudentJob, tested: str) -> None:
    for teacher in plan.teachers_of(job).values():
        pristine = plan.study.teachers[teacher.teacher].pristine_dataset() or TARGET
        for key, name in (("pretrain_on", teacher.dataset), ("pristine", pristine)):
            of_the_split = name == TARGET or (key == "pretrain_on" and name == job.dataset)
            if not of_the_split and same_images(plan.study, name, tested):
                raise InputError(
                    f"teachers.{teacher.teacher}.{key}: {name!r} holds images that {job.student!r} is tested on"
                    f" ({tested!r}); set it to target, name another dataset, or use one entry for both."
                )


def same_images(study: Study, one: str, other: str) -> bool:
    """Whether two dataset entries hold the same images, or images of the same contents."""
    if one not in study.datasets or other not in study.datasets:
        return False
    entries = [study.datasets[name] for name in (one, other)]
    contents = {source_of(study, name).local_damage_of or study.datasets[name].source for name in (one, other)}
    if len(contents) > 1:
        return False
    folders = {entry.root or f"data/{name}" for entry, name in zip(entries, (one, other), strict=True)}
    return source_of(study, one).origin != "folder" or len(folders) == 1


def _may_have_references(study: Study, name: str) -> bool:
    """Whether a dataset has pristine images; for the user's own images only the files tell."""
    source = source_of(study, name)
    return source.origin != "archive" or bool(source.references)


def _experiments(study: Study) -> Iterator[tuple[str, ExperimentSettings]]:
    """Experiments with how messages name them."""
    for position, experiment in enumerate(study.experiments):
        yield f"experiments[{position}] ({experiment.name})", experiment


def _teachers_in_use(study: Study) -> Iterator[tuple[str, str]]:
    """Teachers of the students that experiments name, with how messages name them."""
    students = {name for e in study.experiments if reads_metrics(e) for name in students_of(study, e)}
    deep = [student for name, student in study.deep_students.items() if name in students]
    for name in sorted({teacher for student in deep for teacher in student.teachers().values()}):
        yield f"teachers.{name}", name


EARLY_CHECKS: tuple[Callable[[Study], None], ...] = (
    check_test_patches,
    check_folds,
    check_sources,
    check_names,
    check_own_samplers,
    check_tables,
    check_scored,
    check_distortion_types,
    check_local_damage,
    check_figure_rates,
    check_figure_needs,
    check_choosers,
    check_image_students,
    check_cross_tests,
    check_teachers_exist,
    check_teacher_data,
    check_primaries,
)
CHECKS: tuple[Callable[[Plan], None], ...] = (
    check_something_trains,
    check_students,
    check_roles,
    check_teacher_jobs,
    check_taught_images,
)
