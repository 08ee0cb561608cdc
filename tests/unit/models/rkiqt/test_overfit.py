"""The student learns 32 pictures by heart, whichever loss is switched on."""

import pytest
import torch
from tiny_distillation import TEACHERS, pictures, tiny_distillation

from iqadistill.evaluation import srcc

STEPS = 45


@pytest.mark.parametrize(
    ("teachers", "settings"),
    [
        ((), {}),
        (("nar",), {}),
        (("nar",), {"masking": "none", "generator": ()}),
        (("conv",), {}),
        (("inv",), {}),
        (("conv",), {"reverse": False}),
        (TEACHERS, {}),
    ],
    ids=["quality", "mcd", "direct features", "conv", "inv", "direct scores", "all"],
)
def test_fits_32_pictures_with_each_loss(teachers, settings):
    patches, quality = pictures(32)
    model = tiny_distillation(*teachers, **settings)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    history = []
    for _ in range(STEPS):
        parts = model.losses(patches, quality)
        optimiser.zero_grad()
        sum(parts.values()).backward()
        optimiser.step()
        history.append({name: part.item() for name, part in parts.items()})
    with torch.no_grad():
        assert srcc(model.eval()(patches).numpy(), quality.numpy()) >= 0.95
    assert all(history[-1][name] < 0.85 * history[0][name] for name in history[0])
