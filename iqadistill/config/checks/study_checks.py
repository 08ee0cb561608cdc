"""All checks of what no single setting shows, in their order."""

from collections.abc import Callable

from iqadistill.config.checks.entry_checks import (
    check_folds,
    check_names,
    check_own_samplers,
    check_primaries,
    check_scored,
    check_sources,
    check_tables,
    check_test_patches,
)
from iqadistill.config.checks.figure_checks import (
    check_choosers,
    check_distortion_types,
    check_figure_needs,
    check_figure_rates,
    check_local_damage,
)
from iqadistill.config.checks.image_checks import check_cross_tests, check_image_students, check_taught_images
from iqadistill.config.checks.teacher_checks import (
    check_roles,
    check_something_trains,
    check_students,
    check_teacher_data,
    check_teacher_jobs,
    check_teachers_exist,
)
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.study import Study

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
