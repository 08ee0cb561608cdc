"""Frozen networks that turn patches into vectors."""

from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.encoder import Encoder, create_encoder
from iqadistill.encoders.reading import read_patches
from iqadistill.lite0 import load_packaged_lite0

__all__ = ["Encoder", "create_encoder", "embed_patches", "load_packaged_lite0", "read_patches"]
