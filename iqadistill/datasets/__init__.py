"""Datasets: galleries and distorted panoramas rendered on the spot, own images, the index of pictures and scores, splits."""

from iqadistill.datasets.indexing import index_dataset, load_dataset
from iqadistill.datasets.registry import dataset_record, list_datasets
from iqadistill.datasets.rendering import render_dataset
from iqadistill.datasets.scenes import gallery_scenes
from iqadistill.datasets.scores import noise_ceiling
from iqadistill.datasets.splitting import split_dataset

__all__ = [
    "dataset_record",
    "gallery_scenes",
    "index_dataset",
    "list_datasets",
    "load_dataset",
    "noise_ceiling",
    "render_dataset",
    "split_dataset",
]
