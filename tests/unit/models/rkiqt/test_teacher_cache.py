import pytest
import torch

from iqadistill.models.rkiqt.teacher_cache import TeacherOutputCache


def patches(count=6, seed=0):
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def seen():
    return []


@pytest.fixture
def cache(seen):
    return TeacherOutputCache(recording(seen), 1.0)


def recording(seen):
    def compute(group):
        seen.append({tuple(patch.flatten().tolist()) for patch in group})
        assert len(group) == 4
        return [group.mean((1, 2, 3)), 2 * group]

    return compute


def test_returns_the_outputs_of_the_networks(cache):
    for order in (torch.arange(6), torch.tensor([3, 3, 1]), torch.tensor([5, 0])):
        means, doubled = cache(patches()[order])
        torch.testing.assert_close(means, patches()[order].mean((1, 2, 3)))
        assert torch.equal(doubled, 2 * patches()[order])


def test_computes_a_patch_once(cache, seen):
    for _ in range(3):
        cache(patches()[[0, 1, 2]])
        cache(patches()[[2, 1, 3]].contiguous(memory_format=torch.channels_last))
    assert [len(group) for group in seen] == [3, 1]


def test_groups_are_of_one_size(cache, seen):
    assert torch.equal(cache(patches(6))[1], 2 * patches(6))
    assert [len(group) for group in seen] == [4, 2]


def test_a_patch_changed_by_one_bit_flipped_or_shifted_is_another_patch(cache, seen):
    patch = patches(1)
    brighter = patch.clone()
    brighter[0, 0, 0, 0] = torch.nextafter(brighter[0, 0, 0, 0], torch.tensor(2.0))
    others = [patch, brighter, patch.flip(-1), patch.flip(-2), patch.roll(1, -1), patch.flip(1)]
    for other in others:
        assert torch.equal(cache(other)[1], 2 * other)
    assert len(seen) == len(others)


def test_outputs_beyond_its_memory_are_not_kept(seen):
    one_patch = 4 * (1 + 3 * 8 * 8)
    small = TeacherOutputCache(recording(seen), 2 * one_patch / 2**30)
    for _ in range(2):
        for patch in patches(3).split(1):
            assert torch.equal(small(patch)[1], 2 * patch)
    assert len(seen) == 3 + 1
