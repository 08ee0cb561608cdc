import pytest
import torch
from accelerate import Accelerator
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings
from iqadistill.training.deep.optimisation import NetworkOptimiser


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 1))

    def losses(self, patches, quality):
        return {"mse": (self.layers(patches)[:, 0] - quality).square().mean()}


@pytest.mark.parametrize(
    ("batch", "accumulation", "frozen"), [(1, 1, False), (8, 8, False), (8, 8, True), (8, 4, False)]
)
def test_normalisation_of_one_value(batch, accumulation, frozen):
    settings = TrainingSettings(accumulation=accumulation, freeze_batchnorm=frozen)
    optimiser = NetworkOptimiser(Normalised(), settings, Accelerator(cpu=True))
    optimiser.train()
    patches = torch.randint(0, 255, (batch, 3, 16, 16), dtype=torch.uint8)

    def step():
        return optimiser.step(patches, torch.rand(batch), torch.zeros(batch, 2, dtype=torch.bool), seed=0, rate=1.0)

    if frozen or batch > accumulation:
        assert step()["mse"].isfinite()
    else:
        with pytest.raises(
            InputError, match=r"Normalised needs two values, and a piece of 1 patch of 16 pixels has one"
        ):
            step()
