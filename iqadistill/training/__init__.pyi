from .deep.prediction import predict_network
from .deep.training import train_network
from .mlp.prediction import predict_mlps
from .mlp.trained_mlps import TrainedMlps, Variant, load_mlps
from .mlp.training import train_mlps
from .sidecar import Sidecar

__all__ = [
    "Sidecar",
    "TrainedMlps",
    "Variant",
    "load_mlps",
    "predict_mlps",
    "predict_network",
    "train_mlps",
    "train_network",
]
