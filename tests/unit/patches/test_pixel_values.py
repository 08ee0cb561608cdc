import torch
from torch.nn import functional

from iqadistill.patches.pixel_values import as_floats, resized_bytes

BYTES = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(2, 3, 16, 16)


def test_bytes_and_floats_are_the_same_patches():
    assert as_floats(BYTES).dtype == torch.float32
    assert torch.equal(as_floats(BYTES), BYTES.float() / 255)
    assert torch.equal(as_floats(BYTES.double() / 255), BYTES.float() / 255)
    assert torch.equal(resized_bytes(as_floats(BYTES), 16), BYTES)


def test_bytes_of_the_right_side_are_not_copied():
    assert resized_bytes(BYTES, 16) is BYTES


def test_resized_bytes_are_rounded_resized_floats():
    resized = functional.interpolate(BYTES.float() / 255, (9, 9), mode="bilinear", antialias=True)
    expected = (255 * resized).round().to(torch.uint8)
    assert torch.equal(resized_bytes(BYTES, 9), expected)
    assert torch.equal(resized_bytes(BYTES.float() / 255, 9), expected)
    assert torch.equal(BYTES.flatten()[:256], torch.arange(256, dtype=torch.uint8))
