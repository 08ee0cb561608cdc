"""Training of a deep network as a job, on as many cards as were granted; a killed job resumes from its checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

from job import decoding_threads, granted_cards, granted_device, quick_imports

import torch
from torch import nn

from iqadistill.console import job_log
from iqadistill.models.settings import TrainingSettings
from iqadistill.training.deep.checkpoints import resumable
from iqadistill.training.deep.training_job import launch, train_into_files


def run_training(
    snakemake,
    settings: TrainingSettings,
    split: int,
    prepare: Callable[[nn.Module], tuple[nn.Module, Mapping[str, Any]]],
) -> None:
    """Train a network of the given settings and write weights, history and sidecar.

    Args:
        snakemake: Snakemake's object of the script, with the params size and seed.
        settings: Settings of the student or teacher.
        split: Number of the split.
        prepare: Function from the untrained network to the module that is trained, which may hold teachers or
            references too, and the other arguments of `train_into_files`.
    """
    params, cards = snakemake.params, granted_cards(snakemake)

    def train() -> None:
        torch.set_num_threads(snakemake.threads)
        torch.manual_seed(params.seed + split)
        with quick_imports():
            network = settings.create_network(params.size)
        trained, arguments = prepare(network)
        train_into_files(
            network,
            trained,
            settings=settings,
            outputs=snakemake.output,
            inputs=list(snakemake.input),
            split=split,
            size=params.size,
            seed=params.seed,
            device=device,
            checkpoints=checkpoints,
            workers=decoding_threads(snakemake),
            **arguments,
        )

    job = f"results/checkpoints/{snakemake.rule}", snakemake.output[0], params, list(snakemake.input)
    with job_log(snakemake.log[0]), granted_device(snakemake) as device, resumable(*job) as checkpoints:
        launch(train, cards if device == "cuda" else 1)
