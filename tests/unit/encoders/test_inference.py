import pytest
import timm
import torch
from test_folding import with_random_statistics
from timm.layers import Conv2dSame
from torch import nn

from iqadistill.encoders.inference import StridedConv2dSame, speed_up_inference


def apply(model, batch):
    return model(batch)


@pytest.mark.parametrize("shape", [(16, 16), (18, 10), (15, 16), (17, 9)])
@pytest.mark.parametrize("kernel, groups", [(3, 1), (5, 4), ((3, 5), 2)])
def test_convolution_of_stride_two_is_that_of_tensorflow(shape, kernel, groups):
    torch.manual_seed(0)
    convolution = Conv2dSame(4, 8, kernel, stride=2, groups=groups, bias=True)
    maps = torch.randn(2, 4, *shape)
    torch.testing.assert_close(StridedConv2dSame(convolution)(maps), convolution(maps), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("side", [64, 65])
def test_quick_network_is_the_same_function(side):
    torch.manual_seed(0)
    model = with_random_statistics(timm.create_model("test_efficientnet", num_classes=5, pad_type="same"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch = torch.rand(2, 3, side, side)
    quick = speed_up_inference(model, apply, batch)
    modules = list(quick.modules())
    assert any(isinstance(module, StridedConv2dSame) for module in modules)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
    expected = model(batch)
    torch.testing.assert_close(quick(batch), expected, atol=1e-5 * expected.abs().max().item(), rtol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_other_strides_dilations_and_kernels_are_left():
    layers = [Conv2dSame(3, 4, 3), Conv2dSame(4, 4, 3, stride=2, dilation=2), Conv2dSame(4, 4, 2, stride=2)]
    quick = speed_up_inference(nn.Sequential(*layers).eval(), apply, torch.rand(2, 3, 16, 16))
    assert not any(isinstance(module, StridedConv2dSame) for module in quick.modules())
