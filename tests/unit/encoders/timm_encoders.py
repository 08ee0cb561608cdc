"""Creation of timm encoders, shared by the tests of encoders."""

from iqadistill.encoders import ENCODERS


def create_encoder(model, weights, pooling, **settings):
    """Encoder of a timm model on the CPU."""
    values = {"backend": "timm", "model": model, "weights": weights, "pooling": pooling, **settings}
    return ENCODERS.create(values).create("cpu")
