import pytest
import torch

from iqadistill.losses import SelfConsistencyLoss


def test_loss_sums_mean_distances_of_the_maps():
    maps, others = (
        [torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 2, 2)],
        [torch.ones(2, 3, 4, 4), torch.full((2, 5, 2, 2), 2)],
    )
    assert SelfConsistencyLoss()(maps, [other.float() for other in others]).item() == pytest.approx(3)


def test_gradient_does_not_reach_the_other_view():
    one, other = torch.rand(2, 3, 4, 4, requires_grad=True), torch.rand(2, 3, 4, 4, requires_grad=True)
    SelfConsistencyLoss()([one], [other]).backward()
    assert one.grad.abs().sum() > 0
    assert other.grad is None
