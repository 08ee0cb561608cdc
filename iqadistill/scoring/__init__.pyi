from .images import list_images
from .results import TrainedResult, load_result
from .score import ImageScore, score_images

__all__ = [
    "ImageScore",
    "TrainedResult",
    "list_images",
    "load_result",
    "score_images",
]
