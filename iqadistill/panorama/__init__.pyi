from .sphere import angles_to_pixels, angles_to_vectors, native_fov, pixels_to_angles, vectors_to_angles, wrap_yaw
from .viewports import extract_viewports, viewport_outline

__all__ = [
    "angles_to_pixels",
    "angles_to_vectors",
    "extract_viewports",
    "native_fov",
    "pixels_to_angles",
    "vectors_to_angles",
    "viewport_outline",
    "wrap_yaw",
]
