"""Encoders of timm by their settings."""

from iqadistill.encoders import ENCODERS


def create_encoder(model, weights, pooling, **settings):
    """Encoder of a timm model."""
    values = {"backend": "timm", "model": model, "weights": weights, "pooling": pooling, **settings}
    return ENCODERS.create(values).create("cpu")
