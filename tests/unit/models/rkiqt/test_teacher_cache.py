import pytest
import torch

from iqadistill.models.rkiqt.teacher_cache import TeacherOutputCache


def patches(count=6, seed=0):
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def computed():
    """The distinct patches of each computed group."""
    return []


@pytest.fixture
def cache(computed):
    return TeacherOutputCache(recording_teacher(computed), 1.0)


def recording_teacher(computed):
    """A teacher of two outputs that records the patches it computes."""

    def compute(group):
        computed.append({tuple(patch.flatten().tolist()) for patch in group})
        assert len(group) == 4
        return [group.mean((1, 2, 3)), 2 * group]

    return compute


def test_cache_returns_teacher_outputs(cache):
    for order in (torch.arange(6), torch.tensor([3, 3, 1]), torch.tensor([5, 0])):
        means, doubled = cache(patches()[order])
        torch.testing.assert_close(means, patches()[order].mean((1, 2, 3)))
        assert torch.equal(doubled, 2 * patches()[order])


def test_each_patch_is_computed_once(cache, computed):
    for _ in range(3):
        cache(patches()[[0, 1, 2]])
        cache(patches()[[2, 1, 3]].contiguous(memory_format=torch.channels_last))
    assert [len(group) for group in computed] == [3, 1]


def test_patches_are_computed_in_groups_of_four(cache, computed):
    assert torch.equal(cache(patches(6))[1], 2 * patches(6))
    assert [len(group) for group in computed] == [4, 2]


def test_slightly_changed_patches_are_computed_separately(cache, computed):
    patch = patches(1)
    brighter = patch.clone()
    brighter[0, 0, 0, 0] = torch.nextafter(brighter[0, 0, 0, 0], torch.tensor(2.0))
    others = [patch, brighter, patch.flip(-1), patch.flip(-2), patch.roll(1, -1), patch.flip(1)]
    for other in others:
        assert torch.equal(cache(other)[1], 2 * other)
    assert len(computed) == len(others)


def test_outputs_beyond_the_memory_limit_are_not_cached(computed):
    one_patch = 4 * (1 + 3 * 8 * 8)
    small = TeacherOutputCache(recording_teacher(computed), 2 * one_patch / 2**30)
    for _ in range(2):
        for patch in patches(3).split(1):
            assert torch.equal(small(patch)[1], 2 * patch)
    assert len(computed) == 3 + 1


def test_outputs_beyond_the_memory_limit_are_kept_on_disk(computed):
    one_patch = 4 * (1 + 3 * 8 * 8)
    memory, disk = 2 * one_patch / 2**30, 3 * one_patch / 2**30
    both = TeacherOutputCache(recording_teacher(computed), memory, disk)
    plain = TeacherOutputCache(recording_teacher([]), 0.0)
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [4, 4, 0]):
        for ours, expected in zip(both(patches()[order]), plain(patches()[order]), strict=True):
            assert torch.equal(ours, expected)
    assert [len(group) for group in computed] == [4, 2, 1]  # two in memory, three on disk, the sixth computed again


def test_full_disk_ends_the_file_and_not_the_training(computed, monkeypatch, capsys):
    cache = TeacherOutputCache(recording_teacher(computed), 0.0, 1.0)
    cache(patches()[:2])
    monkeypatch.setattr("os.pwrite", lambda *_: 0)
    for _ in range(2):
        assert torch.equal(cache(patches()[:4])[1], 2 * patches()[:4])
    assert [len(group) for group in computed] == [2, 2, 2]
    assert capsys.readouterr().err.count("no more outputs of teachers are kept on disk") == 1
