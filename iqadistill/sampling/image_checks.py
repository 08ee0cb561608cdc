"""What an image must be for patches to be placed on it."""

from typing import NamedTuple

from iqadistill.errors import InputError


class PatchRule(NamedTuple):
    """What a sampler asks of an image.

    Attributes:
        size: Side of a crop in pixels; 0 if any image is large enough, as for viewports.
        longer_side: Length in pixels of the image's longer side that `size` refers to; None: its own.
        small_images: What is done about an image smaller than a crop: "refuse" it, or "enlarge" smaller crops of it.
        even_width: Whether the image must be an even number of pixels wide.
    """

    size: int = 0
    longer_side: int | None = None
    small_images: str = "refuse"
    even_width: bool = False

    def crop_side(self, width: int, height: int) -> int:
        """Side of a crop in pixels of an image of `width` x `height` pixels."""
        return scaled_side(self.size, width, height, self.longer_side, self.small_images)

    def check(self, width: int, height: int, name: str) -> None:
        """Refuse an image that patches cannot be placed on.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.
            name: Name of the image in the message.

        Raises:
            InputError: The image is smaller than a crop, or its width is odd where it must be even.
        """
        if self.even_width:
            check_panorama(width, name)
        if self.size:
            check_patch_fits(width, height, name, self.crop_side(width, height))


def scaled_side(size: int, width: int, height: int, longer_side: int | None, small_images: str = "refuse") -> int:
    """Side in pixels of a crop that is `size` pixels wide once the image's longer side is resized to `longer_side`.

    It is one pixel at least. With `small_images` "enlarge" it is no longer than the image's shorter side.
    """
    side = size if longer_side is None else max(1, round(size * max(width, height) / longer_side))
    return min(side, width, height) if small_images == "enlarge" else side


def check_panorama(width: int, name: str) -> None:
    """Refuse a panorama that viewports cannot be cut from.

    Args:
        width: Width of the panorama in pixels.
        name: Name of the panorama in the message.

    Raises:
        InputError: The width is odd.
    """
    if width % 2:
        raise InputError(
            f"{name}: a panorama {width} pixels wide, expected an even width; crop or resize it, or leave "
            "it out (on_error: quarantine)."
        )


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
            "sampler's size, enlarge the image (flat images: small_images: enlarge), or leave it out "
            "(on_error: quarantine)."
        )
