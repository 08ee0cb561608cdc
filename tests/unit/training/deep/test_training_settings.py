import pytest

from iqadistill.errors import InputError
from iqadistill.training.deep.settings import NetworkRecipe


def rates(**settings):
    recipe = NetworkRecipe(**settings)
    return [recipe.rate(step, 4) for step in range(4 * recipe.epochs)]


def test_the_cosine_falls_from_one_to_nearly_zero():
    found = rates(schedule="cosine", epochs=10)
    assert found[0] == 1 and found == sorted(found, reverse=True) and 0 < found[-1] < 0.01
    assert found[20] == pytest.approx(0.5)


def test_steps_come_every_so_many_epochs():
    found = rates(schedule="step", epochs=5, step_epochs=2, step_factor=0.1)
    assert found == pytest.approx([1.0] * 8 + [0.1] * 8 + [0.01] * 4)


def test_the_rate_rises_linearly_while_it_warms_up():
    assert rates(schedule="constant", warm_up=1.5, epochs=2) == pytest.approx([(s + 1) / 6 for s in range(6)] + [1, 1])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"schedule": "linear"}, "schedule 'linear' is unknown"),
        ({"optimiser": "sgd"}, "optimiser 'sgd' is unknown"),
        ({"precision": "fp8"}, "precision 'fp8' is unknown"),
        ({"flips": ("diagonal",)}, "flips"),
        ({"epochs": 0}, "epochs is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"patches_per_epoch": 0}, "patches_per_epoch is 0"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"weight_decay": -1e-3}, "weight_decay is -0.001"),
        ({"ema": 1.0}, "ema is 1.0"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        NetworkRecipe(**settings)
