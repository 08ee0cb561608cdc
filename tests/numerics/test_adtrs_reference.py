"""ADTRS compared with its equations, written out cell by cell."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iqadistill.models import create_model

SIZE = 128  # 4 x 4 cells, 2 x 2 after attention


def pooled(features):
    """L2 pooling: channel vectors of length one, then sqrt(g * x^2 + eps)."""
    taps = torch.tensor(np.hanning(5)[1:-1])
    features = features / features.square().sum(1, keepdim=True).sqrt()
    padded = F.pad(features.square(), (1, 1, 1, 1))
    height, width = features.shape[-2:]
    total = sum(
        taps[dy] * taps[dx] * padded[..., dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)
    )
    return (total / taps.sum() ** 2 + 1e-12).sqrt()


def averaged(maps, cells):
    """Average pooling to cells x cells."""
    batch, channels, side, _ = maps.shape
    return maps.reshape(batch, channels, cells, side // cells, cells, side // cells).mean((3, 5))


def normalised(maps, norm, training):
    """Batch normalisation."""
    mean, variance = norm.running_mean[:, None, None], norm.running_var[:, None, None]
    if training:
        mean, variance = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), keepdim=True, unbiased=False)
    return (maps - mean) / (variance + norm.eps).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]


def pointwise(maps, convolution):
    """1 x 1 convolution."""
    return torch.einsum("oc,bcyx->boyx", convolution.weight[:, :, 0, 0], maps) + convolution.bias[:, None, None]


def depthwise(maps, convolution):
    """Depthwise 3 x 3 convolution of stride 2 with zero padding."""
    padded, cells = F.pad(maps, (1, 1, 1, 1)), range(0, maps.shape[-1], 2)
    rows = [
        torch.stack([(padded[:, :, y : y + 3, x : x + 3] * convolution.weight[:, 0]).sum((2, 3)) for x in cells], -1)
        for y in cells
    ]
    return torch.stack(rows, -2) + convolution.bias[:, None, None]


def attended(maps, block, training):
    """Attention of every second cell to all cells, head by head, with position biases."""
    side = maps.shape[-1]
    picked = depthwise(maps, block.q.local) + maps[:, :, ::2, ::2]
    query = normalised(pointwise(picked, block.q.proj.conv), block.q.proj.bn, training)
    key = normalised(pointwise(maps, block.k.conv), block.k.bn, training)
    value = normalised(pointwise(maps, block.v.conv), block.v.bn, training)
    mixed = normalised(depthwise(value, block.v_local.conv), block.v_local.bn, training)
    for head in range(16):
        keys = key[:, 16 * head : 16 * head + 16]
        part = slice(64 * head, 64 * head + 64)
        for y in range(0, side, 2):
            for x in range(0, side, 2):
                affinity = torch.einsum("bc,bcvu->bvu", query[:, 16 * head : 16 * head + 16, y // 2, x // 2], keys) / 4
                for v in range(side):
                    for u in range(side):
                        offset = abs(y - v) * side + abs(x - u)
                        affinity[:, v, u] = affinity[:, v, u] + block.attention_biases[head, offset]
                weights = affinity.flatten(1).softmax(1).reshape(affinity.shape)
                output = torch.einsum("bvu,bcvu->bc", weights, value[:, part])
                mixed[:, part, y // 2, x // 2] = mixed[:, part, y // 2, x // 2] + output
    return normalised(pointwise(mixed.clamp_min(0), block.proj.conv), block.proj.bn, training)


def reference_forward(model, patches):
    """Score, O and F4 without dropout."""
    features = model.backbone(patches)
    cells = features[-1].shape[-1]
    joined = torch.cat([averaged(pooled(stage), cells) for stage in features], 1)
    out = attended(joined, model.attention[0], model.training)
    tokens = out.mean((2, 3)) @ model.attention_head.weight.T + model.attention_head.bias
    fused = torch.cat([tokens, features[-1].mean((2, 3))], 1)
    return (fused @ model.head.weight.T + model.head.bias)[:, 0], out, features[-1]


def reference_losses(model, patches, quality):
    """The four weighted losses of the patches and their mirrored view."""
    views = [reference_forward(model, view) for view in (patches, patches.flip(3))]
    y = sorted(quality.tolist())
    ranking = []
    for score, _, _ in views:
        q = [score[index] for index in sorted(range(len(quality)), key=lambda index: quality[index])]
        ranking.append(
            (abs(q[0] - q[1]) - abs(q[0] - q[-1]) + y[-1] - y[1]).clamp_min(0)
            + (abs(q[-1] - q[-2]) - abs(q[-1] - q[0]) + y[-2] - y[0]).clamp_min(0)
        )
    distance = [(one - other).abs().mean() for one, other in zip(*views, strict=True)][1:]
    return {
        "quality": sum((score - quality).abs().mean() for score, _, _ in views),
        "consistency": 2 * sum(distance),
        "ranking_consistency": 0.5 * 2 * abs(ranking[0] - ranking[1]),
        "ranking": 0.05 * sum(ranking),
    }


@pytest.fixture(scope="module")
def model():
    """An ADTRS student with random weights and statistics."""
    torch.manual_seed(0)
    model = create_model("adtrs", backbone="test_resnet", size=SIZE, dropout=0.0).double()
    with torch.no_grad():
        model.attention[0].attention_biases.normal_()
        model.head.weight.normal_(std=0.05)  # initially zero
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
    return model


@pytest.fixture(scope="module")
def patches():
    return torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@torch.no_grad()
def test_forward_follows_the_equations(model, patches):
    model.eval()
    scores = model(patches)
    torch.testing.assert_close(scores, reference_forward(model, patches)[0])
    assert scores.std() > 1e-3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scale", [1, 100])
@torch.no_grad()
def test_losses_follow_the_equations(model, patches, training, scale):
    model.train(training)
    quality = scale * torch.rand(6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    parts, expected = model.losses(patches, quality), reference_losses(model, patches, quality)
    assert list(parts) == list(expected)
    for name in expected:
        assert expected[name] > 1e-4
        torch.testing.assert_close(parts[name], expected[name])
