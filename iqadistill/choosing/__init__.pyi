from .choose import choose_images
from .registry import CHOOSERS

__all__ = [
    "CHOOSERS",
    "choose_images",
]
