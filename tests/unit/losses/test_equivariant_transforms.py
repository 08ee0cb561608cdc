import pytest
import torch
import torch.nn.functional as F

from iqadistill.errors import InputError
from iqadistill.losses import TRANSFORMS


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "rotation"])
def test_moves_an_average_as_it_moves_the_picture(name):
    transform, picture = TRANSFORMS[name], torch.rand(2, 3, 12, 12)
    assert not torch.equal(transform(picture), picture)
    torch.testing.assert_close(F.avg_pool2d(transform(picture), 4), transform(F.avg_pool2d(picture, 4)))


def test_names_say_which_way():
    picture = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = {name: TRANSFORMS[name](picture).flatten().tolist() for name in TRANSFORMS if name != "scaling"}
    assert found == {"horizontal_flip": [2, 1, 4, 3], "vertical_flip": [3, 4, 1, 2], "rotation": [2, 4, 1, 3]}


def test_scaling_magnifies_about_the_centre():
    ramp = torch.arange(-5.0, 6).expand(1, 2, 11, 11)
    torch.testing.assert_close(TRANSFORMS["scaling"](ramp), ramp / 1.1, atol=1e-5, rtol=1e-5)


def test_oblong_rotations_are_refused():
    with pytest.raises(InputError, match=r"4 x 6|6 x 4"):
        TRANSFORMS["rotation"](torch.rand(1, 3, 4, 6))
