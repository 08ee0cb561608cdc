"""Every shipped study keeps its contract: what it asks for is drawn whole from what its jobs would write."""

import pytest
from contract import STUDIES, draw_study, shipped_study
from synthetic_tables import SyntheticTables

from iqadistill.config import Plan
from iqadistill.config.experiments import reads_metrics
from iqadistill.config.study import Study
from iqadistill.errors import InputError


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_experiment_is_drawn_from_what_the_jobs_would_write(file, tmp_path):
    study = shipped_study(file)
    outcome = draw_study(study, tmp_path)
    assert outcome.broken == {}
    for experiment in study.experiments:
        assert f"figures/{experiment.name}.svg" in outcome.page


@pytest.fixture(scope="module")
def demo():
    """The embedded study."""
    return shipped_study(STUDIES[0])


def alone(study: Study, name: str, **changes: tuple) -> Study:
    """A study of one of its experiments, changed in a way that the parser's checks would refuse.

    An experiment may name the student mlp_again, a second one on embeddings. One on selections has the first experiment
    of the study beside it, for a study trains something.
    """
    (experiment,) = (experiment for experiment in study.experiments if experiment.name == name)
    more = {"mlp_again": study.students["mlp"]} if "students" in changes else {}
    others = () if reads_metrics(experiment) else study.experiments[:1]
    experiments = (*others, experiment.model_copy(update=changes))
    return study.model_copy(update={"experiments": experiments, "primary": (), "students": {**study.students, **more}})


@pytest.mark.parametrize(
    ("name", "changes", "wrong"),
    [
        ("rate_sweep", {"students": ("mlp", "mlp_again")}, "give one student"),
        ("cost", {"students": ("mlp", "mlp_again")}, "students that are not told apart"),
        ("sampler_metric", {"selectors": ("residual_metric", "residual_scale_free")}, "2 variants match"),
        ("sampler_metric", {"selectors": ("kcenter",)}, "no setting"),
        ("dimension", {"selectors": ("residual_h", "residual_published")}, "agree in n_components"),
        ("sensitivity", {"selectors": ("residual_ab", "residual")}, "duplicate entries"),
        ("convergence", {"selectors": ("residual_h", "residual")}, "agree in n_components and solver"),
        ("noise_failure", {"selectors": ("residual", "residual_scale_free")}, "too many values"),
        ("kept_patches", {"datasets": ("gallery360", "gallery2d"), "samplers": ("lat", "random_crops")}, "too many"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_spoilt_experiment_is_found(demo, name, changes, wrong, tmp_path):
    broken = draw_study(alone(demo, name, **changes), tmp_path).broken
    assert set(broken) == {name} and wrong in broken[name]


def test_figure_of_one_rate_is_not_planned_with_several(demo):
    with pytest.raises(InputError, match="give exactly one rate"):
        assert Plan(alone(demo, "controls", keep=(0.2, 0.4))).jobs


ON_METRICS = [e.name for e in shipped_study(STUDIES[0]).experiments if reads_metrics(e)]


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("name", ON_METRICS)
def test_variant_without_numbers_is_found(demo, name, position, tmp_path):
    study = alone(demo, name)
    tables = SyntheticTables(Plan(study))
    variant = ["dataset", "sampler", "encoder", "selector", "keep", "student"]
    variants = tables.metrics.loc[tables.metrics.student != "label_only", variant].drop_duplicates()
    removed = variants.iloc[round(position * (len(variants) - 1))]
    tables.metrics = tables.metrics[(tables.metrics[variant] != removed).any(axis=1)]
    assert set(draw_study(study, tmp_path, tables).broken) == {name}
