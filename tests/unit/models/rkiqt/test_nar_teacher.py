import pytest
import torch
import torch.nn.functional as F

from iqadistill.errors import InputError
from iqadistill.evaluation import srcc
from iqadistill.models import create_model
from iqadistill.models.rkiqt.nar_teacher import NARTraining
from iqadistill.models.rkiqt.reference_pool import ReferencePool

SIZE = 64
SMALL = {
    "backbone": "test_resnet",
    "size": SIZE,
    "width": 6,
    "cells": 3,
    "mixer_width": 10,
    "difference_depth": 2,
    "image_depth": 1,
}


def small_teacher(**settings):
    torch.manual_seed(0)
    return create_model("nar_teacher", **{**SMALL, **settings})


def images(seed=1, count=4, size=SIZE):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def training(pool=5, pool_size=SIZE, **settings):
    return NARTraining(small_teacher(**settings), ReferencePool((images(2, pool, pool_size) * 255).byte()))


def linear(layer, inputs):
    return inputs @ layer.weight.T + layer.bias


def mixed(mixer, maps):
    """An MLP-Mixer over the cells of the maps, step by step; returns the mean of its tokens."""
    joined = torch.cat(maps, 1)
    tokens = torch.stack([joined[:, :, y, x] for y in range(joined.shape[2]) for x in range(joined.shape[3])], 1)
    first, *blocks, norm = mixer
    tokens = linear(first, tokens)
    for block in blocks:
        across = F.layer_norm(tokens, tokens.shape[-1:], block.norm1.weight, block.norm1.bias, block.norm1.eps).mT
        across = linear(block.mlp_tokens.fc2, F.gelu(linear(block.mlp_tokens.fc1, across)))
        tokens = tokens + across.mT
        along = F.layer_norm(tokens, tokens.shape[-1:], block.norm2.weight, block.norm2.bias, block.norm2.eps)
        tokens = tokens + linear(block.mlp_channels.fc2, F.gelu(linear(block.mlp_channels.fc1, along)))
    return F.layer_norm(tokens, tokens.shape[-1:], norm.weight, norm.bias, norm.eps).mean(1)


def reference(teacher, patches, pristine):
    """The score with each projection before its average pooling, as in CVRKD-IQA."""
    low, high = (
        [
            F.adaptive_avg_pool2d(projection(stage), teacher.cells)
            for projection, stage in zip(teacher.projections, teacher.backbone(given), strict=True)
        ]
        for given in (patches, pristine)
    )
    differences = [pristine - distorted for distorted, pristine in zip(low, high, strict=True)]
    joined = torch.cat([mixed(teacher.image_mixer, low), mixed(teacher.difference_mixer, differences)], 1)
    return linear(teacher.head, joined)[:, 0]


@torch.no_grad()
def test_scores_follow_the_equations():
    teacher = small_teacher().double().eval()
    patches, pristine = images(1).double(), images(2).double()
    scores = teacher(patches, pristine)
    torch.testing.assert_close(scores, reference(teacher, patches, pristine))
    assert scores.shape == (4,)
    assert scores.std() > 1e-4


@torch.no_grad()
def test_score_depends_on_the_reference():
    teacher = small_teacher().eval()
    assert not torch.allclose(teacher(images(1), images(2)), teacher(images(1), images(3)), atol=1e-5)


@torch.no_grad()
def test_differences_are_pristine_minus_image():
    teacher = small_teacher().eval()
    low, high = teacher.project(images(1)), teacher.project(images(2))
    differences = teacher.differences(low, high)
    assert [tuple(stage.shape) for stage in differences] == [(4, 6, 3, 3)] * 4
    torch.testing.assert_close(
        differences, [pristine - distorted for distorted, pristine in zip(low, high, strict=True)], rtol=0, atol=0
    )


def test_default_parameter_count_is_that_of_the_published_mixers():
    with torch.device("meta"):
        teacher = create_model("nar_teacher")
    trained = sum(parameter.numel() for parameter in teacher.parameters() if parameter.requires_grad)
    tokens, width = 49, 256
    hidden = 4 * tokens
    mlps = 2 * tokens * hidden + hidden + tokens + 2 * width * 4 * width + 4 * width + width
    block = mlps + 2 * 2 * width
    mixers = (18 + 9) * block + 2 * (256 * width + width + 2 * width)
    projections = (256 + 512 + 1024 + 2048) * 64 + 4 * 64
    assert trained == mixers + projections + 2 * width + 1


@pytest.mark.parametrize("backbone", ["test_resnet", "tf_efficientnet_lite0", "rednet26"])
def test_maps_have_the_given_cells_for_any_backbone_and_patch_size(backbone):
    teacher = small_teacher(backbone=backbone, cells=4).eval()
    with torch.inference_mode():
        for size in (64, 96):
            maps = teacher.project(images(1, 2, size))
            assert [tuple(stage.shape) for stage in maps] == [(2, 6, 4, 4)] * 4


def test_frozen_backbone_does_not_change():
    network = training().train()
    before = {name: tensor.clone() for name, tensor in network.teacher.backbone.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network.losses(images(), torch.rand(4))["quality"].backward()
    optimiser.step()
    torch.testing.assert_close(dict(network.teacher.backbone.state_dict()), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in network.teacher.backbone.parameters())
    assert network.teacher.training
    others = [p for name, p in network.named_parameters() if not name.startswith("teacher.backbone.")]
    assert all(parameter.grad.abs().max() > 0 for parameter in others)


def test_backbone_is_trained_if_not_frozen():
    network = training(freeze_backbone=False).train()
    before = {name: tensor.clone() for name, tensor in network.teacher.backbone.named_buffers()}
    network.losses(images(), torch.rand(4))["quality"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    moved = [name for name, tensor in network.teacher.backbone.named_buffers() if not torch.equal(tensor, before[name])]
    assert any("running_mean" in name for name in moved)


def test_loss_is_the_mean_absolute_error_with_drawn_references():
    network, patches, quality = training().eval(), images(), torch.rand(4)
    torch.manual_seed(7)
    drawn = torch.randint(5, (4,))
    scores = network.teacher(patches, network.pool.patches[drawn] / 255)
    torch.manual_seed(7)
    losses = network.losses(patches, quality)
    assert set(losses) == {"quality"}
    torch.testing.assert_close(losses["quality"], sum(abs(s - y) for s, y in zip(scores, quality, strict=True)) / 4)
    assert not torch.equal(network.losses(patches, quality)["quality"], losses["quality"])


@torch.no_grad()
def test_score_without_reference_averages_fixed_references():
    network, patches = training(pool=5).eval(), images()
    before = torch.get_rng_state()
    scores = network(patches)
    assert torch.equal(torch.get_rng_state(), before)
    pristine = [network.pool.patches[index : index + 1] / 255 for index in (0, 1, 3, 4)]
    each = [network.teacher(patches, one.expand(4, -1, -1, -1)) for one in pristine]
    torch.testing.assert_close(scores, sum(each) / 4)


def test_state_dict_is_that_of_the_teacher():
    network = training()
    state = {name.removeprefix("teacher."): tensor for name, tensor in network.state_dict().items()}
    fresh = small_teacher()
    fresh.load_state_dict(state)
    torch.testing.assert_close(dict(fresh.state_dict()), dict(network.teacher.state_dict()), rtol=0, atol=0)


def test_teacher_learns_noise_level_with_unrelated_references():
    network = training(pool=8, pool_size=32, width=16, mixer_width=32, freeze_backbone=False).train()
    quality = torch.linspace(0, 1, 12)
    grey = torch.rand(12, 1, 1, 1, generator=torch.Generator().manual_seed(4))
    patches = (grey + (1 - quality).view(-1, 1, 1, 1) * (images(5, 12, 32) - 0.5)).clamp(0, 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(40):
        optimiser.zero_grad()
        network.losses(patches, quality)["quality"].backward()
        optimiser.step()
    with torch.inference_mode():
        assert srcc(network.eval()(patches).numpy(), quality.numpy()) >= 0.8


def test_bfloat16_gradients_are_finite():
    network = training(backbone="rednet26", freeze_backbone=False)
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.losses(images(), torch.rand(4))["quality"]
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("key", ["width", "cells", "mixer_width", "difference_depth", "image_depth"])
def test_invalid_settings_are_refused(key):
    with pytest.raises(InputError, match=f"nar_teacher.{key}: "):
        small_teacher(**{key: 0})
