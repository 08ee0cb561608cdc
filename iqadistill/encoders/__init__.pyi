from .embedding import embed_patches
from .encoder import Encoder, create_encoder

__all__ = [
    "Encoder",
    "create_encoder",
    "embed_patches",
]
