import numpy as np
import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.panorama import angles_to_vectors, extract_viewports, viewport_outline


def noise(width=64, height=32):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def test_viewport_of_rolled_panorama_equals_rotated_camera():
    panorama = noise()
    yaw, pitch = np.array([-3.0, 0.2, 3.1]), np.array([-1.4, 0.1, 1.5])
    turned = extract_viewports(panorama.roll(16, -1), yaw + np.pi / 2, pitch, 1.3, 24)
    torch.testing.assert_close(turned, extract_viewports(panorama, yaw, pitch, 1.3, 24), atol=2e-5, rtol=0)


def test_flipped_panorama_flips_viewports():
    panorama = noise()
    flipped = extract_viewports(panorama.flip(-2), [0.4], [-1.2], 1.0, 16)
    torch.testing.assert_close(flipped, extract_viewports(panorama, [0.4], [1.2], 1.0, 16).flip(-2), atol=1e-5, rtol=0)


def test_positive_yaw_is_right_and_positive_pitch_is_up():
    row, column = torch.meshgrid(torch.arange(32.0), torch.arange(64.0), indexing="ij")
    panorama = torch.stack([column, row, row])
    views = extract_viewports(panorama, [0.0, 0.5, 0.0], [0.0, 0.0, 0.5], 0.5, 9)[:, :, 4, 4]
    expected = [[31.5, 15.5], [31.5 + 0.5 / np.pi * 32, 15.5], [31.5, 15.5 - 0.5 / np.pi * 32]]
    np.testing.assert_allclose(views[:, :2].numpy(), expected, atol=1e-4)


def test_each_viewport_has_its_own_field_of_view():
    views = extract_viewports(noise(), [0.1, 0.1], [0.0, 0.0], [0.5, 1.5], 16)
    torch.testing.assert_close(views[1:], extract_viewports(noise(), [0.1], [0.0], 1.5, 16))
    torch.testing.assert_close(views[:1], extract_viewports(noise(), [0.1], [0.0], 0.5, 16))


@pytest.mark.parametrize("fov", [0.0, np.pi, -1.0, float("nan")])
def test_invalid_field_of_view_is_refused(fov):
    with pytest.raises(InputError, match="fov"):
        extract_viewports(noise(), [0.0], [0.0], fov, 16)


def test_odd_width_is_refused():
    with pytest.raises(InputError, match="width"):
        extract_viewports(noise(width=63), [0.0], [0.0], 1.0, 16)


def test_float_types_are_kept_and_uint8_becomes_float32():
    panorama = noise()
    views = extract_viewports(panorama, [3.0], [0.3], 1.0, 16)
    half = extract_viewports(panorama.half(), [3.0], [0.3], 1.0, 16)
    from_uint8 = extract_viewports((panorama * 255).round().byte(), [3.0], [0.3], 1.0, 16)
    assert half.dtype == torch.float16
    assert from_uint8.dtype == torch.float32
    torch.testing.assert_close(half.float(), views, atol=2e-3, rtol=0)
    torch.testing.assert_close(from_uint8 / 255, views, atol=1 / 255, rtol=0)


def test_no_directions_give_no_viewports():
    assert extract_viewports(noise(), [], [], 1.0, 16).shape == (0, 3, 16, 16)


def test_outline_follows_the_viewport_border():
    yaw, pitch, fov = np.array([0.3, 3.0, 0.0]), np.array([0.2, -1.2, np.pi / 2]), np.array([0.8, 1.2, 1.0])
    outline = angles_to_vectors(*viewport_outline(yaw, pitch, fov, points=8))
    assert outline.shape == (3, 33, 3)
    np.testing.assert_allclose(outline[:, 0], outline[:, -1])
    cosine = np.einsum("npc,nc->np", outline, angles_to_vectors(yaw, pitch))
    reach = np.tan(fov / 2)[:, None]
    corners = slice(0, 32, 8)
    np.testing.assert_allclose(cosine[:, corners], np.broadcast_to(1 / np.sqrt(1 + 2 * reach**2), (3, 4)))
    np.testing.assert_allclose(cosine[:, 4:32:8], np.broadcast_to(1 / np.sqrt(1 + reach**2), (3, 4)))


def test_outline_starts_at_the_upper_left():
    yaw, pitch = viewport_outline(0.0, 0.0, 1.0, points=4)
    assert yaw.shape == (17,)
    assert yaw[0] < 0 < pitch[0]
    assert yaw[4] > 0 and pitch[4] > 0
