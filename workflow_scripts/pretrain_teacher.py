"""Train a teacher on a split's training images, or on all scored images of a dataset; a killed job goes on where it was."""

import json

import torch
from job import granted_cards, granted_device

from iqadistill.console import job_log
from iqadistill.models import create_model
from iqadistill.models.nar_teacher import NARTraining
from iqadistill.provenance import write_sidecar
from iqadistill.tables import read_table, write_table
from iqadistill.training.checkpoints import resumable
from iqadistill.training.engine import train_network
from iqadistill.training.every_image import as_one_split
from iqadistill.training.launch import is_main_process, launch
from iqadistill.training.network_recipe import NetworkRecipe
from iqadistill.training.network_weights import save_network
from iqadistill.training.pristine import read_reference_pool

w, seed = snakemake.wildcards, snakemake.params.seed


def train() -> None:
    """Train the teacher and write it; of several processes that train it together, one writes."""
    torch.set_num_threads(snakemake.threads)
    settings, recipe = json.loads(snakemake.params.network), json.loads(snakemake.params.recipe)
    tables = {name: read_table(snakemake.input[name], name) for name in ("images", "splits", "patches")}
    split = 0 if snakemake.params.every_image else int(w.split)
    if snakemake.params.every_image:
        tables["splits"] = as_one_split(tables["splits"])
    torch.manual_seed(seed + split)
    teacher = trained = create_model(settings["model"], **{k: v for k, v in settings.items() if k != "model"})
    if snakemake.input.pristine:
        number = snakemake.params.pristine_patches
        pool = read_reference_pool(snakemake.input.pristine, number, settings["size"], split=split, seed=seed)
        trained = NARTraining(teacher, pool)
    variant = {
        "train_dataset": w.dataset,
        "sampler": w.sampler,
        "encoder": "",
        "selector": "all",
        "student": "",
        "teacher": w.teacher,
    }
    history = train_network(
        trained,
        **tables,
        selection=None,
        keep=1.0,
        split=split,
        recipe=NetworkRecipe(**recipe),
        variant=variant,
        size=settings["size"],
        seed=seed,
        device=device,
        checkpoints=checkpoints,
        workers=snakemake.threads,
    )
    if is_main_process():
        write_table(history, snakemake.output.history, "history")
        save_network(teacher, snakemake.output.weights)
        facts = {"variant": {**variant, "split": w.split}, "seed": seed, "network": settings, "recipe": recipe}
        facts["sampler"] = json.loads(snakemake.params.sampler)
        write_sidecar(snakemake.output.sidecar, facts, list(snakemake.input))


job = snakemake.output[0], dict(snakemake.params.items()), list(snakemake.input)
with (
    job_log(snakemake.log[0]),
    granted_device(snakemake) as device,
    resumable("results/checkpoints/pretrain_teacher", *job) as checkpoints,
):
    launch(train, granted_cards(snakemake) if device == "cuda" else 1)
