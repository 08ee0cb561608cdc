"""A distilled student overfits a small set of images."""

import pytest
import torch
from tiny_distillation import TEACHERS, distorted, tiny_distillation

from iqadistill.evaluation import srcc

STEPS = 45


@pytest.mark.parametrize(
    "settings",
    [{}, {"masking": "none", "generator": (), "reverse": False}],
    ids=["masked and reverse", "direct"],
)
def test_student_overfits_32_images_and_all_losses_decrease(settings):
    patches, quality = distorted(32)
    model = tiny_distillation(*TEACHERS, **settings)
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
    limits = {"mcd": 0.95}  # half of its target are the drawn references, which no student can foresee
    assert all(history[-1][name] < limits.get(name, 0.85) * history[0][name] for name in history[0])
