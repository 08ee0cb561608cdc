import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.losses import QualityLoss


def test_loss_is_the_mean_absolute_error():
    assert QualityLoss()(torch.tensor([0.0, 1.0, 0.5]), torch.tensor([0.3, 0.4, 0.5])).item() == pytest.approx(0.3)


def test_qualities_of_other_shape_are_refused():
    with pytest.raises(InputError, match=r"\(3, 1\).*\(3,\)"):
        QualityLoss()(torch.zeros(3), torch.zeros(3, 1))
