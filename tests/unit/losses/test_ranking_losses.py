import pytest
import torch

from iqadistill.losses import RankingConsistencyLoss, RelativeRankingLoss

QUALITY = torch.tensor([0.5, 0.1, 0.9, 0.3, 0.8])


@pytest.mark.parametrize("stretch", [1, 2, -1])
def test_loss_is_zero_if_score_differences_match_quality(stretch):
    # |q - q'| has no sign: the quality loss decides the direction
    assert RelativeRankingLoss(1.0)(stretch * QUALITY, QUALITY).item() == pytest.approx(0, abs=1e-6)


def test_loss_of_equal_scores_is_both_margins():
    loss = RelativeRankingLoss(1.0)(torch.full((5,), 0.4), QUALITY)
    assert loss.item() == pytest.approx((0.9 - 0.3) + (0.8 - 0.1))


def test_margin_scale_affects_margins_only():
    flat = torch.full((5,), 0.4)
    assert RelativeRankingLoss(0.5)(flat, QUALITY).item() == pytest.approx(0.65)
    assert RelativeRankingLoss(0.0)(flat, QUALITY).item() == 0
    mixed = torch.tensor([0.5, 0.1, 0.2, 0.9, 0.8])
    assert RelativeRankingLoss(0.0)(mixed, QUALITY).item() == pytest.approx((0.8 - 0.1) + (0.6 - 0.1))


def test_loss_does_not_depend_on_batch_order():
    scores, order = torch.tensor([0.2, 0.6, 0.7, 0.1, 0.3]), torch.tensor([3, 0, 4, 2, 1])
    loss = RelativeRankingLoss(1.0)
    assert loss(scores[order], QUALITY[order]) == loss(scores, QUALITY)


def test_gradient_reaches_only_extreme_patches():
    scores = torch.tensor([0.2, 0.6, 0.7, 0.1, 0.3], requires_grad=True)
    RelativeRankingLoss(1.0)(scores, QUALITY).backward()
    assert scores.grad[0] == 0
    assert (scores.grad[1:] != 0).any()


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_loss_of_fewer_than_four_patches_is_zero(batch):
    scores = torch.rand(batch, requires_grad=True)
    loss = RelativeRankingLoss(1.0)(scores, torch.rand(batch))
    loss.backward()
    assert loss == 0
    assert (scores.grad == 0).all()


def test_consistency_pulls_both_losses_together():
    one, other = torch.tensor(3.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    loss = RankingConsistencyLoss()(one, other)
    loss.backward()
    assert loss == 4  # without stop-gradients the gradients would be 2 and -2
    assert (one.grad, other.grad) == (1, -1)
