import numpy as np

from iqadistill.panorama import angles_to_pixels, angles_to_vectors, pixels_to_angles, vectors_to_angles, wrap_yaw


def test_axes_point_right_up_and_forward():
    vectors = angles_to_vectors([0, np.pi / 2, 0], [0, 0, np.pi / 2])
    np.testing.assert_allclose(vectors, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-15)


def test_vectors_and_angles_are_inverse():
    stream = np.random.default_rng(0)
    yaw, pitch = stream.uniform(-np.pi, np.pi, 100), stream.uniform(-np.pi / 2, np.pi / 2, 100)
    np.testing.assert_allclose(vectors_to_angles(7 * angles_to_vectors(yaw, pitch)), [yaw, pitch], atol=1e-12)


def test_pixels_and_angles_are_inverse():
    column, row = np.arange(8), np.array([0, 1, 2, 3, 3, 2, 1, 0])
    np.testing.assert_allclose(angles_to_pixels(*pixels_to_angles(column, row, 8, 4), 8, 4), [column, row], atol=1e-12)


def test_pixel_centres_are_half_a_pixel_from_the_border():
    yaw, pitch = pixels_to_angles(0, 0, 8, 4)
    np.testing.assert_allclose([yaw, pitch], [(0.5 / 8 - 0.5) * 2 * np.pi, (0.5 - 0.5 / 4) * np.pi])


def test_yaw_is_wrapped_to_minus_pi_to_pi():
    np.testing.assert_allclose(wrap_yaw([np.pi, -np.pi, 3 * np.pi, 0.5]), [-np.pi, -np.pi, -np.pi, 0.5])
