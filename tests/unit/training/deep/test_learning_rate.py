import pytest

from iqadistill.models.settings import TrainingSettings


def rates(**settings):
    training = TrainingSettings(**settings)
    return [training.rate(step, 4) for step in range(4 * training.epochs)]


def test_cosine_schedule_falls_from_one_to_nearly_zero():
    cosine = rates(schedule="cosine", epochs=10)
    assert cosine[0] == 1 and cosine == sorted(cosine, reverse=True) and 0 < cosine[-1] < 0.01
    assert cosine[20] == pytest.approx(0.5)


def test_step_schedule_decays_every_step_epochs():
    steps = rates(schedule="step", epochs=5, step_epochs=2, step_factor=0.1)
    assert steps == pytest.approx([1.0] * 8 + [0.1] * 8 + [0.01] * 4)


def test_warm_up_is_linear():
    assert rates(schedule="constant", warm_up=1.5, epochs=2) == pytest.approx([(s + 1) / 6 for s in range(6)] + [1, 1])
