import math

import pytest
import torch

from iqadistill.losses import IntermediateHead, ReverseDistillationLoss

CHANNELS = (3, 5, 7)


def maps(batch=4):
    generator = torch.Generator().manual_seed(1)
    sides = (8, 4, 2)
    return [
        torch.randn(batch, channels, side, side, generator=generator, dtype=torch.float64)
        for channels, side in zip(CHANNELS, sides, strict=True)
    ]


def scores(seed, batch=4):
    return torch.rand(batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference_head(head, features):
    """Y_I = MLP((A1(F1) + A2(F2)) + A3(F3)): each map aligned cell by cell, then averaged."""
    aligned = []
    for align, stage in zip(head.alignments, features, strict=True):
        cells = torch.einsum("oc,bcyx->boyx", align.weight, stage) + align.bias[:, None, None]
        aligned.append(cells.mean((2, 3)))
    joined = (aligned[0] + aligned[1]) + aligned[2]
    first, _, last = head.mlp
    hidden = joined @ first.weight.T + first.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return (hidden @ last.weight.T + last.bias)[:, 0]


@pytest.fixture
def loss():
    torch.manual_seed(0)
    return ReverseDistillationLoss(CHANNELS, width=6).double()


@torch.no_grad()
def test_intermediate_head_follows_the_equation():
    torch.manual_seed(0)
    head = IntermediateHead(CHANNELS, width=6).double()
    predicted = head(maps())
    torch.testing.assert_close(predicted, reference_head(head, maps()))
    assert predicted.std() > 1e-3


@torch.no_grad()
def test_loss_is_distance_of_head_to_teacher_and_token(loss):
    token, teacher = scores(2), scores(3)
    intermediate = reference_head(loss.intermediate, maps())
    expected = sum(abs(i - t) + abs(i - s) for i, t, s in zip(intermediate, teacher, token, strict=True)) / 4
    torch.testing.assert_close(loss(token, teacher, maps()), expected)


def test_gradient_reaches_token_and_head_but_not_teacher(loss):
    token, teacher, features = scores(2).requires_grad_(), scores(3).requires_grad_(), maps()
    for stage in features:
        stage.requires_grad_()
    loss(token, teacher, features).backward()
    assert token.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in loss.parameters())
    assert teacher.grad is None
    assert all(stage.grad is None for stage in features)


@torch.no_grad()
def test_loss_is_zero_if_token_teacher_and_head_agree(loss):
    agreed = loss.intermediate(maps())
    assert loss(agreed, agreed, maps()) == 0
