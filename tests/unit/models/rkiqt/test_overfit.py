"""A distilled student overfits a small set of images."""

import pytest
import torch
from tiny_distillation import TEACHERS, distorted, pristine, tiny_distillation

from iqadistill.evaluation import srcc
from iqadistill.models.rkiqt.reference_pool import ReferencePool

STEPS = 45


@pytest.mark.parametrize(
    "settings",
    [{}, {"masking": "none", "generator": (), "reverse": False}],
    ids=["masked and reverse", "direct"],
)
def test_student_overfits_32_images_and_all_losses_decrease(settings):
    patches, quality = distorted(32)
    # of several references, the drawn one would be half of what the student learns, and it cannot foresee the draw
    model = tiny_distillation(*TEACHERS, pool=ReferencePool((255 * pristine(1, seed=5)).byte()), **settings)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    history = []
    for _ in range(STEPS):
        parts = model.losses(patches, quality)
        optimiser.zero_grad()
        sum(parts.values()).backward()
        optimiser.step()
        history.append({name: part.item() for name, part in parts.items()})
    with torch.no_grad():
        assert srcc(model.eval()(patches).numpy(), quality.numpy()) >= 0.9
    assert set(history[0]) == {"quality", "mcd", "conv", "inv"}
    assert all(history[-1][name] < 0.85 * history[0][name] for name in history[0])
