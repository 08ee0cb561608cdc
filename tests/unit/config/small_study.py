"""A small study file, and the form in which a study is refused."""

import pytest

from iqadistill.config import check_study
from iqadistill.errors import InputError


def small_study():
    """Contents of a study file."""
    return {
        "name": "small",
        "datasets": {"gallery2d": {}, "gallery360": {}, "noise360": {}},
        "samplers": {"random_crops": {"count": 8, "size": 32}, "erp": {"count": 8, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {
            "residual": {"n_components": 4},
            "residual_ab": {"n_components": 2, "alpha": [0.1, 1.0], "beta": [0.1, 1.0]},
        },
        "keep": [0.5, 1.0],
        "students": {"mlp": {}},
        "experiments": [{"figure": "rate_sweep"}],
    }


def refused(raw, *parts):
    """Assert that the study is refused with a one-line error message that contains all parts."""
    with pytest.raises(InputError) as caught:
        check_study(raw)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message
