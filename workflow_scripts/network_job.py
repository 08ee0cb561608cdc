"""The training of a deep network as a job, on as many cards as were granted; a killed one goes on where it was."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from job import granted_cards, granted_device
from torch import nn

from iqadistill.console import job_log
from iqadistill.models.creation import create_model
from iqadistill.training.deep.checkpoints import resumable
from iqadistill.training.deep.launch import launch
from iqadistill.training.deep.settings import NetworkRecipe
from iqadistill.training.deep.trained_files import train_into_files


def new_network(snakemake, split: int) -> nn.Module:
    """The network of this job as it is before its training."""
    torch.manual_seed(snakemake.params.seed + split)
    settings = json.loads(snakemake.params.network)
    return create_model(settings.pop("model"), **settings)


def run_training(snakemake, prepare: Callable[[], tuple[nn.Module, nn.Module, Mapping[str, Any]]]) -> None:
    """Train what `prepare` gives and write weights, history and sidecar.

    Args:
        snakemake: Of the script. The sidecar tells of its params `network` and `sampler`.
        prepare: The network that is saved, what is trained, and the further arguments of `train_into_files`.
    """
    params, cards = snakemake.params, granted_cards(snakemake)
    told = {name: json.loads(params[name]) for name in ("network", "sampler")}

    def train() -> None:
        torch.set_num_threads(snakemake.threads)
        network, trained, more = prepare()
        train_into_files(
            network,
            trained,
            recipe=NetworkRecipe(**json.loads(params.recipe)),
            outputs=snakemake.output,
            inputs=list(snakemake.input),
            size=told["network"]["size"],
            seed=params.seed,
            device=device,
            checkpoints=checkpoints,
            workers=snakemake.threads,
            **{**more, "facts": told | more["facts"]},
        )

    job = snakemake.output[0], dict(params.items()), list(snakemake.input)
    place = f"results/checkpoints/{snakemake.rule}"
    with job_log(snakemake.log[0]), granted_device(snakemake) as device, resumable(place, *job) as checkpoints:
        launch(train, cards if device == "cuda" else 1)
