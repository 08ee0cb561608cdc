import pytest
import torch

from iqadistill.models.adtrs.l2_pooling import L2Pooling


def test_l2_pooling_ignores_feature_magnitude():
    features = torch.rand(1, 6, 5, 5) + 0.1
    torch.testing.assert_close(L2Pooling()(features * (torch.rand(1, 1, 5, 5) + 0.5)), L2Pooling()(features))


def test_pooled_channels_have_unit_energy():
    pooled = L2Pooling()(torch.randn(2, 6, 5, 5))
    torch.testing.assert_close(pooled.square().sum(1)[:, 1:-1, 1:-1], torch.ones(2, 3, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradient_is_finite_for_zero_features(dtype):
    features = torch.zeros(1, 4, 6, 6, dtype=dtype)
    features[:, :, 0, 0] = 1
    features.requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        L2Pooling()(features).sum().backward()
    assert features.grad.isfinite().all()
