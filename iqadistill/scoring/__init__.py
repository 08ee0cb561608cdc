"""Scoring pictures with what was trained."""

from iqadistill.scoring.pictures import list_pictures
from iqadistill.scoring.results import TrainedResult, load_result
from iqadistill.scoring.score import PictureScore, score_pictures

__all__ = ["PictureScore", "TrainedResult", "list_pictures", "load_result", "score_pictures"]
