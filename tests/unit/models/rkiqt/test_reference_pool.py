import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.reference_pool import ReferencePool


def pool(count=10):
    return ReferencePool(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).clone())


def test_draws_follow_the_seed_and_reach_every_patch():
    references = pool()
    torch.manual_seed(3)
    first = references.draw(200)
    torch.manual_seed(3)
    assert torch.equal(references.draw(200), first)
    assert set(first.tolist()) == set(range(10))


def test_the_spread_is_always_the_same_and_draws_nothing():
    before = torch.get_rng_state()
    assert pool().spread(4).tolist() == [0, 3, 6, 9]
    assert pool(2).spread(4).tolist() == [0, 1]
    assert torch.equal(torch.get_rng_state(), before)


def test_pixels_are_bytes_scaled_to_one():
    pixels = pool().pixels(torch.tensor([5, 0, 5]))
    assert pixels.shape == (3, 3, 4, 4)
    assert pixels[:, 0, 0, 0].tolist() == pytest.approx([5 / 255, 0, 5 / 255])


def test_no_state_dict_holds_the_patches():
    assert not pool().state_dict()
    assert [name for name, _ in pool().named_buffers()] == ["patches"]


@pytest.mark.parametrize(
    "patches",
    [torch.rand(2, 3, 4, 4), torch.zeros(0, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4, 3, dtype=torch.uint8)],
)
def test_invalid_patches_are_named(patches):
    with pytest.raises(InputError, match=r"reference pool: .* expected uint8 of \(patches, 3, side, side\)"):
        ReferencePool(patches)
