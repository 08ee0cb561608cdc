from .images import list_pictures
from .results import TrainedResult, load_result
from .score import PictureScore, score_pictures

__all__ = [
    "PictureScore",
    "TrainedResult",
    "list_pictures",
    "load_result",
    "score_pictures",
]
