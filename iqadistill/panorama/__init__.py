"""The sphere: angles and pixels, viewports and crops of equirectangular panoramas."""

from iqadistill.panorama.crops import extract_crops
from iqadistill.panorama.sphere import (
    angles_to_pixels,
    angles_to_vectors,
    pixels_to_angles,
    vectors_to_angles,
    wrap_yaw,
)
from iqadistill.panorama.viewports import extract_viewports, viewport_outline

__all__ = [
    "angles_to_pixels",
    "angles_to_vectors",
    "extract_crops",
    "extract_viewports",
    "pixels_to_angles",
    "vectors_to_angles",
    "viewport_outline",
    "wrap_yaw",
]
