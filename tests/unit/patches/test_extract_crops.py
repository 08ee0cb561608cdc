import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.patches.crops import extract_crops

IMAGE = torch.arange(2 * 6 * 8).reshape(2, 6, 8)


def test_crops_are_pixels_of_the_image():
    crops = extract_crops(IMAGE, [0, 5], [1, 3], 3)
    assert torch.equal(crops, torch.stack([IMAGE[:, 1:4, 0:3], IMAGE[:, 3:6, 5:8]]))


def test_wrapped_crop_continues_across_the_seam():
    crop = extract_crops(IMAGE, [6], [0], 4, wrap=True)[0]
    assert torch.equal(crop, IMAGE.roll(-6, -1)[:, :4, :4])


@pytest.mark.parametrize("x, y, size, wrap", [(6, 0, 4, False), (0, 3, 4, True), (-1, 0, 2, True), (0, 0, 9, True)])
def test_crop_outside_the_image_is_refused(x, y, size, wrap):
    with pytest.raises(InputError, match=r"\(.*\).*8 x 6"):
        extract_crops(IMAGE, [x], [y], size, wrap=wrap)


def test_no_positions_give_no_crops():
    assert extract_crops(IMAGE, [], [], 3).shape == (0, 2, 3, 3)
