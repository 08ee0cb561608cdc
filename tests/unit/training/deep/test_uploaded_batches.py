"""Batches on their way to a GPU."""

import pytest
import torch

from iqadistill.training.deep.batches import uploaded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_uploaded_batches_are_those_of_the_cpu():
    draw, device = torch.Generator().manual_seed(0), torch.device("cuda", 0)
    batches = [
        (
            torch.randint(0, 256, (16, 3, 224, 224), dtype=torch.uint8, generator=draw),
            torch.arange(16) + step,
            torch.rand(16, 2, generator=draw) < 0.5,
        )
        for step in range(20)
    ]
    for (patches, rows, flips), expected in zip(uploaded(iter(batches), device), batches, strict=True):
        torch.ones(2000, 2000, device=device) @ torch.ones(2000, 2000, device=device)
        assert patches.device == flips.device == device
        for ours, theirs in zip((patches, rows, flips), expected, strict=True):
            assert torch.equal(ours.cpu(), theirs)
