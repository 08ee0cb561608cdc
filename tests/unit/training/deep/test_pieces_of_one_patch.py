"""A normalisation of maps of one pixel needs two patches at a time: such pieces are made, or training is refused."""

from contextlib import nullcontext

import pytest
import torch
from accelerate import Accelerator
from tiny_networks import TinyStudy
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings
from iqadistill.training.deep.optimisation import NetworkOptimiser


class Normalised(nn.Module):
    """Normalises means over patches, so that a patch has one value per channel; notes the sizes of its pieces.

    Args:
        norm: The normalisation of three channels.
        most: Number of patches above which memory runs out.
    """

    def __init__(self, norm=nn.BatchNorm2d, most=99):
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), norm(3), nn.Flatten(), nn.Linear(3, 1))
        self.most, self.pieces = most, []

    def forward(self, patches):
        """Scores (B,)."""
        return self.layers(patches)[:, 0]

    def losses(self, patches, quality):
        """Squared error; the one patch that is tried first is not noted."""
        if len(patches) > self.most:
            raise torch.OutOfMemoryError("too many")
        loss = (self(patches) - quality).square().mean()
        if torch.is_grad_enabled():
            self.pieces.append(len(patches))
        return {"mse": loss}


def take_step(network, batch, **settings):
    """Pieces in which a batch passes through the network."""
    optimiser = NetworkOptimiser(network, TrainingSettings(**settings), Accelerator(cpu=True))
    optimiser.train()
    patches = torch.randint(0, 255, (batch, 3, 16, 16), dtype=torch.uint8)
    parts = optimiser.step(patches, torch.rand(batch), torch.zeros(batch, 2, dtype=torch.bool), seed=0, rate=1.0)
    assert parts["mse"].isfinite()
    return network.pieces


@pytest.mark.parametrize(
    ("batch", "accumulation", "pieces"),
    [(3, 2, [3]), (10, 4, [3, 3, 2, 2]), (8, 8, [2, 2, 2, 2]), (7, 9, [3, 2, 2]), (8, 3, [3, 3, 2]), (9, 2, [5, 4])],
)
def test_no_piece_is_smaller_than_the_normalisation_needs(batch, accumulation, pieces):
    assert take_step(Normalised(), batch, accumulation=accumulation) == pieces


@pytest.mark.parametrize(("batch", "pieces"), [(3, [2, 1]), (10, [3, 3, 3, 1])])
@pytest.mark.parametrize("frozen", [False, True])
def test_pieces_of_one_patch_stay_where_no_normalisation_needs_more(batch, pieces, frozen):
    norm = nn.BatchNorm2d if frozen else nn.Identity
    accumulation = len(pieces)
    assert take_step(Normalised(norm), batch, accumulation=accumulation, freeze_batchnorm=frozen) == pieces


def test_batches_that_exceed_memory_are_cut_to_two_patches_at_least(capfd):
    assert take_step(Normalised(most=2), 8) == [2, 2, 2, 2]
    assert "cut into 4 pieces" in capfd.readouterr().err
    assert take_step(Normalised(nn.Identity, most=1), 3) == [1, 1, 1]


@pytest.mark.parametrize(("batch", "most"), [(8, 1), (3, 2), (2, 1)])
def test_memory_for_less_than_the_normalisation_needs_is_refused(batch, most):
    with pytest.raises(InputError, match="the patches that Normalised normalises do not fit into memory"):
        take_step(Normalised(most=most), batch)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"batch_size": 1}, True),
        ({"batch_size": 2, "patches_per_epoch": 3}, False),  # 18 patches
        ({"batch_size": 2, "patches_per_epoch": 3, "images": 6}, True),  # 9 patches: the first batch has one
        ({"batch_size": 8, "accumulation": 8}, False),
        ({"batch_size": 1, "freeze_batchnorm": True}, False),
    ],
)
def test_batches_of_one_patch_are_refused_before_training(tmp_path, settings, refused):
    images = settings.pop("images", 9)
    network = Normalised()
    message = "Normalised needs two patches of 16 pixels at a time, and the smallest batch has one; raise batch_size"
    with pytest.raises(InputError, match=message) if refused else nullcontext():
        TinyStudy(tmp_path, images=images, val=0).train(network, training=settings)
    assert bool(network.pieces) is not refused


def test_last_batch_of_validation_may_have_one_patch(tmp_path):
    _, history = TinyStudy(tmp_path, val=3).train(Normalised(), training={"batch_size": 7})  # 15 patches: 7, 7, 1
    assert history["val_srcc"].is_valid().to_pylist() == [True, True]


def test_trying_one_patch_changes_nothing():
    network = Normalised(nn.Identity)
    network.layers[1] = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout())
    network.layers[0] = nn.Identity()
    network.layers[3] = nn.Linear(3 * 16 * 16, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = NetworkOptimiser(network, TrainingSettings(), Accelerator(cpu=True))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert optimiser.smallest_piece(16) == 1
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_instance_normalisation_of_one_pixel_is_refused():
    with pytest.raises(InputError, match="Normalised gets maps of one pixel from patches of 16 pixels"):
        take_step(Normalised(nn.InstanceNorm2d), 4)


def test_error_of_another_kind_passes():
    class Broken(Normalised):
        def losses(self, patches, quality):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        take_step(Broken(), 1)
