"""Datasets: official archives, galleries and panoramas rendered on the spot, own images; index of pictures and scores, splits."""

from iqadistill.datasets.indexing import index_dataset, load_dataset
from iqadistill.datasets.rendering import render_dataset
from iqadistill.datasets.retrieval import retrieve_dataset
from iqadistill.datasets.scenes import gallery_scenes
from iqadistill.datasets.scores import noise_ceiling
from iqadistill.datasets.splitting import split_dataset
from iqadistill.registry import dataset_record, list_datasets

__all__ = [
    "dataset_record",
    "gallery_scenes",
    "index_dataset",
    "list_datasets",
    "load_dataset",
    "noise_ceiling",
    "render_dataset",
    "retrieve_dataset",
    "split_dataset",
]
