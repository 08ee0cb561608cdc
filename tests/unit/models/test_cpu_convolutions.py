"""Convolutions that are computed in another way on CPU are the same ones."""

import copy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from iqadistill.models.backbone import Backbone
from iqadistill.models.cpu_convolutions import DepthwiseConv2d, speed_up_convolutions


@pytest.mark.parametrize(("kernel", "stride", "side"), [(5, 1, 6), (5, 2, 9), (7, 1, 8), (7, 2, 14), (4, 1, 5)])
def test_depthwise_gradients_are_those_of_pytorch(kernel, stride, side):
    torch.manual_seed(0)
    padding = (kernel - 1) // 2
    layer = nn.Conv2d(8, 8, kernel, stride, padding, groups=8, bias=False).double()
    maps = torch.randn(3, 8, side, side, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad((layer(maps) ** 2).sum(), [maps, layer.weight])
    speed_up_convolutions(layer)
    assert isinstance(layer, DepthwiseConv2d)
    for ours, theirs in zip(torch.autograd.grad((layer(maps) ** 2).sum(), [maps, layer.weight]), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_padding_of_tensorflow_is_kept():
    torch.manual_seed(0)
    layer, maps = Conv2dSame(4, 4, 5, stride=2, groups=4, bias=False), torch.randn(2, 4, 9, 9)
    expected = layer(maps)
    speed_up_convolutions(layer)
    assert torch.equal(layer(maps), expected)


def test_bias_of_a_folded_normalisation_is_added():
    torch.manual_seed(0)
    layer, maps, bias = nn.Conv2d(4, 4, 5, groups=4, bias=False), torch.randn(2, 4, 9, 9), torch.randn(4)
    expected = layer(maps) + bias[:, None, None]
    speed_up_convolutions(layer)
    layer.bias = nn.Parameter(bias)
    torch.testing.assert_close(layer(maps), expected)


def test_narrow_dense_and_biased_layers_stay_as_they_are():
    layers = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 5), nn.Conv2d(4, 4, 5, groups=4))
    speed_up_convolutions(layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d] * 3


def test_network_learns_the_same():
    torch.manual_seed(0)
    plain = Backbone("tf_efficientnet_lite0", "none", 64).double()
    fast, patches = copy.deepcopy(plain), torch.rand(3, 3, 64, 64, dtype=torch.float64)
    speed_up_convolutions(fast)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    for network in (plain, fast):
        torch.manual_seed(1)
        sum((stage * torch.randn_like(stage)).mean() for stage in network(patches)).backward()
    for ours, theirs in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-12)
