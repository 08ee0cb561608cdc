import pyarrow as pa
import pytest
from torch import nn

from iqadistill.models import create_model
from iqadistill.training.deep.cost import forward_cost, training_cost


class SmallNetwork(nn.Module):
    """A convolution to 2 channels at stride 2, and a linear layer on its means."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(3, 2, 3, 2, 1), nn.Linear(2, 1)

    def forward(self, patches):
        return self.linear(self.convolution(patches).mean((2, 3))).squeeze(1)


def test_parameters_and_flops_are_counted():
    network = SmallNetwork()
    assert forward_cost(network, 8).model_dump(exclude={"max_vram"}) == {
        "parameters": 3 * 2 * 9 + 2 + 3,
        "flops": 2 * (16 * 3 * 2 * 9 + 2),
    }
    assert network.training


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_flops_of_adtrs_slightly_exceed_its_backbone(backbone):
    published = {"resnet18": 1.8e9, "resnet50": 4.1e9}[backbone]  # multiply-adds at 224 pixels
    cost = forward_cost(create_model("adtrs", backbone=backbone), 224)
    assert 2 * published < cost.flops < 2.4 * published


def test_flops_of_attention_are_counted():
    width, tokens, blocks = 192, 1 + 14 * 14, 12
    layers = 4 + 8  # queries, keys, values and output; two MLP layers of four times the width
    expected = blocks * (2 * tokens * layers * width**2 + 2 * 2 * tokens**2 * width)
    cost = forward_cost(create_model("rkiqt", backbone="vit_tiny_patch16_224", head="linear"), 224)
    assert cost.flops == pytest.approx(expected + 2 * 14 * 14 * 3 * 16**2 * width, rel=1e-3)


def test_flops_of_nar_teacher_are_those_of_an_image_pair():
    settings = {
        "backbone": "test_resnet",
        "cells": 2,
        "width": 4,
        "mixer_width": 8,
        "difference_depth": 1,
        "image_depth": 1,
    }
    teacher = create_model("nar_teacher", **settings)
    backbone = forward_cost(create_model("regressor", backbone="test_resnet"), 64).flops
    assert 2 * 0.95 * backbone < forward_cost(teacher, 64).flops < 2 * 1.5 * backbone


def test_peak_memory_is_recorded_on_gpu_only():
    history = pa.table({"peak_memory": [3.0, 5.0, 4.0]})
    assert training_cost(SmallNetwork(), 8, history, "cuda:0").max_vram == 5 * 2**20
    assert training_cost(SmallNetwork(), 8, history, "cpu").max_vram is None
