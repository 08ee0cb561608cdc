import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.reference_pool import ReferencePool


def pool(count=10):
    return ReferencePool(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).clone())


def test_draws_depend_on_seed_and_reach_every_patch():
    references = pool()
    torch.manual_seed(3)
    first = references.draw(200)
    torch.manual_seed(3)
    assert torch.equal(references.draw(200), first)
    assert set(first.tolist()) == set(range(10))


def test_spread_is_fixed_and_keeps_the_random_state():
    before = torch.get_rng_state()
    assert pool().spread(4).tolist() == [0, 3, 6, 9]
    assert pool(2).spread(4).tolist() == [0, 1]
    assert torch.equal(torch.get_rng_state(), before)


def test_pixels_are_scaled_to_zero_to_one():
    pixels = pool().pixels(torch.tensor([5, 0, 5]))
    assert pixels.shape == (3, 3, 4, 4)
    assert pixels[:, 0, 0, 0].tolist() == pytest.approx([5 / 255, 0, 5 / 255])


def test_patches_are_not_in_the_state_dict():
    assert not pool().state_dict()
    assert [name for name, _ in pool().named_buffers()] == ["patches"]


@pytest.mark.parametrize(
    "patches",
    [torch.rand(2, 3, 4, 4), torch.zeros(0, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4, 3, dtype=torch.uint8)],
)
def test_invalid_patches_are_refused(patches):
    with pytest.raises(InputError, match=r"reference pool: .*uint8"):
        ReferencePool(patches)
