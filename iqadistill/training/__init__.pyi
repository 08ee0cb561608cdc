from .mlp.prediction import predict_sweep
from .mlp.sweep import Sweep, Variant, load_sweep
from .mlp.training import train_sweep

__all__ = [
    "Sweep",
    "Variant",
    "load_sweep",
    "predict_sweep",
    "train_sweep",
]
