import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from tiny_networks import TinyNetwork
from torch import nn

from iqadistill.models.settings import TrainingSettings
from iqadistill.training.deep.optimisation import NetworkOptimiser

WEIGHTS = {"backbone.0.weight", "backbone.3.weight", "head.1.weight"}  # the batch normalisation's weight is a scale


class WithoutGradients(TinyNetwork):
    """Has position embeddings, and gradients of zero everywhere, so that only the weight decay changes it."""

    def __init__(self):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.ones(1, 2, 3))

    def losses(self, patches, quality):
        return {"zero": 0 * sum(parameter.sum() for parameter in self.parameters())}


@pytest.mark.parametrize("optimiser", ["adamw", "adam"])
@pytest.mark.parametrize("decay_biases", [False, True])
@pytest.mark.parametrize("backbone_lr", [1.0, 0.5])
def test_biases_and_scales_decay_only_where_they_are_asked_to(optimiser, decay_biases, backbone_lr):
    AcceleratorState._reset_state(reset_partial_state=True)
    network = WithoutGradients()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    settings = TrainingSettings(
        optimiser=optimiser, lr=0.1, weight_decay=0.5, decay_biases=decay_biases, backbone_lr=backbone_lr
    )
    stepping = NetworkOptimiser(network, settings, Accelerator(cpu=True))
    patches, flips = torch.zeros(2, 3, 16, 16, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.bool)
    stepping.step(patches, torch.zeros(2), flips, seed=0, rate=1.0)
    decayed = {name for name, parameter in network.named_parameters() if (parameter < 1).any()}
    assert decayed == ({name for name, _ in network.named_parameters()} if decay_biases else WEIGHTS)
