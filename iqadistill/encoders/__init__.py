"""Frozen networks that turn patches into vectors."""

from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.encoder import Encoder, create_encoder
from iqadistill.encoders.lite0 import load_packaged_lite0
from iqadistill.encoders.reading import read_patches

__all__ = ["Encoder", "create_encoder", "embed_patches", "load_packaged_lite0", "read_patches"]
