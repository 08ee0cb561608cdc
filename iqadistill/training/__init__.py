"""Training students on kept patches, and scoring images with them."""

from iqadistill.training.prediction import predict_sweep
from iqadistill.training.sweep import Sweep, Variant, load_sweep
from iqadistill.training.train import train_sweep

__all__ = ["Sweep", "Variant", "load_sweep", "predict_sweep", "train_sweep"]
