from .embedding import embed_patches
from .encoder import Encoder
from .registry import ENCODERS

__all__ = [
    "ENCODERS",
    "Encoder",
    "embed_patches",
]
