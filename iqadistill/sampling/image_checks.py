"""Checks that patches can be placed on an image."""

from iqadistill.errors import InputError


def check_panorama(width: int, name: str) -> None:
    """Refuse a panorama that viewports cannot be cut from.

    Args:
        width: Width of the panorama in pixels.
        name: Name of the panorama in the message.

    Raises:
        InputError: The width is odd.
    """
    if width % 2:
        raise InputError(f"{name}: a panorama {width} pixels wide, expected an even width; crop or resize it.")


def check_patch_fits(width: int, height: int, name: str, size: int) -> None:
    """Refuse an image smaller than the patch.

    Args:
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        name: Name of the image in the message.
        size: Side of the patch in pixels.

    Raises:
        InputError: Width or height is below `size`.
    """
    if min(width, height) < size:
        raise InputError(
            f"{name}: {width} x {height} pixels, expected at least {size} x {size} for its patches; lower the "
            "sampler's size, enlarge the image (flat images: small_images: enlarge), or remove it from the dataset."
        )
