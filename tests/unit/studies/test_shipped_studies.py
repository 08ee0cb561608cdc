"""Every shipped study keeps its contract: what it asks for is drawn whole from what its jobs would write."""

import pytest
from contract import STUDIES, draw_study, shipped_study


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_experiment_is_drawn_from_what_the_jobs_would_write(file, tmp_path):
    study = shipped_study(file)
    outcome = draw_study(study, tmp_path)
    assert outcome.broken == {}
    for experiment in study.experiments:
        assert f"figures/{experiment.name}.svg" in outcome.page
