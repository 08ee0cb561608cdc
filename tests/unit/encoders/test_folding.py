import pytest
import torch
from torch import nn

from iqadistill.encoders.folding import fold_batchnorm


def with_random_statistics(module):
    """The module in eval mode; its batch normalisations have random statistics and parameters."""
    generator = torch.Generator().manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return module.eval()


class Reused(nn.Module):
    """Uses a convolution's output twice, so that folding the normalisation into it would change the sum."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.convolution(x)
        return (x + self.norm(x)).flatten(1)


class Shared(nn.Module):
    """Applies one convolution twice, each time with a normalisation of its own."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norms = nn.Conv2d(3, 3, 1), nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(3)])

    def forward(self, x):
        for norm in self.norms:
            x = norm(self.convolution(x))
        return x.flatten(1)


class Dead(nn.Module):
    """Differs once it is folded, but not on black patches, nor on those that a rectifier makes black."""

    def __init__(self, shift):
        super().__init__()
        self.shift, self.convolution, self.norm = shift, nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)
        self.norm.weight.data.fill_(2.0)

    def forward(self, x):
        x = self.convolution((x - self.shift).relu())
        return (x + self.norm(x)).flatten(1)


def apply(model, batch):
    return model(batch)


def test_folding_removes_batchnorm_and_keeps_the_output():
    layers = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4)]
    model = with_random_statistics(nn.Sequential(*layers, nn.Flatten()))
    batch = torch.rand(2, 3, 8, 8)
    folded = fold_batchnorm(model, apply, batch)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    torch.testing.assert_close(folded(batch), model(batch))


@pytest.mark.parametrize("network", [Reused, Shared])
def test_network_with_reused_features_is_not_folded(network):
    model = with_random_statistics(network())
    assert fold_batchnorm(model, apply, torch.rand(2, 3, 8, 8)) is model


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_wrong_fold_is_noticed_where_the_example_is_plain(shift):
    model = Dead(shift).eval()
    assert fold_batchnorm(model, apply, torch.full((1, 3, 8, 8), shift)) is model


def test_network_without_batchnorm_is_not_folded():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten())
    assert fold_batchnorm(model, apply, torch.rand(2, 3, 8, 8)) is model
