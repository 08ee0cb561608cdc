import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.involution import Involution


@pytest.mark.parametrize("stride", [1, 2])
def test_output_size_is_input_size_over_stride(stride):
    layer = Involution(16, 7, stride).eval()
    for height, width in ((8, 8), (7, 9), (1, 3)):
        assert layer(torch.rand(2, 16, height, width)).shape == (2, 16, -(-height // stride), -(-width // stride))


def test_kernel_of_ones_sums_the_neighbourhood():
    layer = Involution(16, 3, 1).eval()
    torch.nn.init.zeros_(layer.conv2.conv.weight)
    torch.nn.init.ones_(layer.conv2.conv.bias)
    sums = layer(torch.ones(1, 16, 4, 4))[0, 0]
    assert sums.tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


def test_groups_have_different_kernels():
    layer = Involution(32, 3, 1).eval()
    torch.nn.init.zeros_(layer.conv2.conv.weight)
    with torch.no_grad():
        layer.conv2.conv.bias.copy_(torch.arange(18) // 9)
    assert layer(torch.ones(1, 32, 3, 3))[0, :, 1, 1].tolist() == [0] * 16 + [9] * 16


def test_output_does_not_depend_on_memory_format():
    layer, maps = Involution(16, 7, 1), torch.rand(2, 16, 6, 6)
    torch.testing.assert_close(layer(maps.contiguous(memory_format=torch.channels_last)), layer(maps))


def test_bfloat16_output_is_close():
    torch.manual_seed(0)
    layer, maps = Involution(16, 7, 1).eval(), torch.rand(2, 16, 9, 9)
    exact = layer(maps)
    rounded = layer.bfloat16()(maps.bfloat16())
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize("settings", [(20, 7, 1), (16, 4, 1), (16, 7, 1, 4, 3)])
def test_invalid_settings_are_refused(settings):
    with pytest.raises(InputError, match=r"channels.*kernel"):
        Involution(*settings)
