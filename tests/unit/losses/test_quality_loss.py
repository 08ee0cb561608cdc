import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.losses import QualityLoss


def test_is_the_mean_distance():
    assert QualityLoss()(torch.tensor([0.0, 1.0, 0.5]), torch.tensor([0.3, 0.4, 0.5])).item() == pytest.approx(0.3)


def test_a_column_of_qualities_is_refused():
    with pytest.raises(InputError, match=r"shape \(3, 1\) for scores of shape \(3,\)"):
        QualityLoss()(torch.zeros(3), torch.zeros(3, 1))
