import math
from typing import get_args

import numpy as np
import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.losses import MASKINGS, SpatialMask
from iqadistill.models.students.rkiqt import RkiqtSettings


def probabilities(masking, ratio, cells=7):
    return SpatialMask(masking, ratio, cells).probabilities.double().numpy()


@pytest.mark.parametrize("masking", MASKINGS)
@pytest.mark.parametrize("cells", [1, 2, 7, 8])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.75, 0.99])
def test_mask_ratio_is_the_expected_share_of_masked_cells(masking, cells, ratio):
    masked = probabilities(masking, ratio, cells)
    assert masked.shape == (cells, cells)
    assert masked.min() >= 0
    assert masked.max() <= 1
    assert masked.mean() == pytest.approx(ratio, abs=1e-6)


@pytest.mark.parametrize("masking", MASKINGS)
def test_cells_are_masked_with_their_probability(masking):
    mask = SpatialMask(masking, 0.4, 5)
    torch.manual_seed(0)
    drawn = mask(4000)
    assert drawn.shape == (4000, 1, 5, 5)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    frequency = 1 - drawn.mean((0, 1))
    torch.testing.assert_close(frequency, mask.probabilities, atol=0.04, rtol=0)
    assert (frequency[mask.probabilities == 1] == 1).all()
    assert (frequency[mask.probabilities == 0] == 0).all()


def test_masks_depend_on_seed_and_differ_between_patches():
    mask = SpatialMask("random", 0.5, 7)
    torch.manual_seed(3)
    first = mask(4)
    torch.manual_seed(3)
    assert torch.equal(first, mask(4))
    assert len({tuple(patch.flatten().tolist()) for patch in first}) == 4


def test_centre_masks_nearest_cells_first():
    masked = probabilities("centre", 7 / 25, cells=5)
    assert masked[2, 2] == 1
    assert [masked[1, 2], masked[2, 1], masked[2, 3], masked[3, 2]] == [1] * 4
    assert [masked[1, 1], masked[1, 3], masked[3, 1], masked[3, 3]] == pytest.approx([0.5] * 4)
    assert masked.sum() == pytest.approx(7)


def test_gaussian_centre_decays_as_a_gaussian():
    masked = probabilities("gaussian_centre", 0.2)
    middle, deviation = 3, 7 / 4
    for y in range(7):
        for x in range(7):
            decay = math.exp(-((y - middle) ** 2 + (x - middle) ** 2) / (2 * deviation**2))
            assert masked[y, x] == pytest.approx(masked[3, 3] * decay, abs=1e-6)


@pytest.mark.parametrize("kind", ["", "gaussian_"])
def test_edge_is_the_complement_of_centre(kind):
    np.testing.assert_allclose(probabilities(f"{kind}edge", 0.3), 1 - probabilities(f"{kind}centre", 0.7), atol=1e-6)
    assert probabilities(f"{kind}edge", 0.3)[0, 0] > probabilities(f"{kind}edge", 0.3)[3, 3]


def test_settings_offer_all_maskings():
    assert set(get_args(RkiqtSettings.model_fields["masking"].annotation)) == {*MASKINGS, "none"}


def test_unknown_masking_suggests_the_nearest():
    with pytest.raises(InputError, match=r"'centr'.* 'centre'"):
        SpatialMask("centr", 0.5, 7)
