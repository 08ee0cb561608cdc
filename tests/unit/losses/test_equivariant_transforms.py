from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from iqadistill.errors import InputError
from iqadistill.losses import TRANSFORMS
from iqadistill.models.students.adtrs import AdtrsSettings


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "rotation"])
def test_transforms_commute_with_average_pooling(name):
    transform, image = TRANSFORMS[name], torch.rand(2, 3, 12, 12)
    assert not torch.equal(transform(image), image)
    torch.testing.assert_close(F.avg_pool2d(transform(image), 4), transform(F.avg_pool2d(image, 4)))


def test_transforms_move_pixels_as_named():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    transformed = {name: TRANSFORMS[name](image).flatten().tolist() for name in TRANSFORMS if name != "scaling"}
    assert transformed == {"horizontal_flip": [2, 1, 4, 3], "vertical_flip": [3, 4, 1, 2], "rotation": [2, 4, 1, 3]}


def test_scaling_magnifies_around_the_centre():
    ramp = torch.arange(-5.0, 6).expand(1, 2, 11, 11)
    torch.testing.assert_close(TRANSFORMS["scaling"](ramp), ramp / 1.1, atol=1e-5, rtol=1e-5)


def test_settings_offer_all_transforms():
    assert set(get_args(AdtrsSettings.model_fields["transform"].annotation)) == set(TRANSFORMS)


def test_rotation_of_non_square_maps_is_refused():
    with pytest.raises(InputError, match=r"rotation: .*6 x 4"):
        TRANSFORMS["rotation"](torch.rand(1, 3, 4, 6))
