from .galleries.rendering import render_dataset
from .galleries.scenes import gallery_scenes
from .index import index_dataset, load_dataset
from .registry import dataset_record, list_datasets
from .retrieval.retrieval import retrieve_dataset
from .simulated_scores import noise_ceiling
from .splits import split_dataset

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
