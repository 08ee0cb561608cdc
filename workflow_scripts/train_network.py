"""Train a deep student on the kept patches of one split, on as many cards as were granted; a killed job goes on where it was."""

import json

import torch
from job import granted_cards, granted_device

from iqadistill.console import job_log
from iqadistill.models import create_model
from iqadistill.provenance import write_sidecar
from iqadistill.tables import read_table, write_table
from iqadistill.training.checkpoints import resumable
from iqadistill.training.distillation import with_teachers
from iqadistill.training.engine import train_network
from iqadistill.training.launch import is_main_process, launch
from iqadistill.training.network_cost import forward_cost
from iqadistill.training.network_recipe import NetworkRecipe
from iqadistill.training.network_weights import save_network
from iqadistill.training.score_scale import score_scale

w, seed = snakemake.wildcards, snakemake.params.seed


def train() -> None:
    """Train the network and write it; of several processes that train it together, one writes."""
    torch.set_num_threads(snakemake.threads)
    settings, recipe = json.loads(snakemake.params.network), json.loads(snakemake.params.recipe)
    tables = {name: read_table(snakemake.input[name], name) for name in ("images", "splits", "patches")}
    selection = next((read_table(file, "selection") for file in snakemake.input.selection), None)
    variant = {name: w[name] for name in ("sampler", "encoder", "selector", "student")}
    teaching = json.loads(snakemake.params.teaching)
    variant |= {"train_dataset": w.dataset, "teacher": "+".join(teaching["teachers"].values()) if teaching else ""}
    torch.manual_seed(seed + int(w.split))
    network = trained = create_model(settings.pop("model"), **settings)
    if teaching:
        files = (snakemake.input[name] for name in ("teachers", "teacher_sidecars", "pristine"))
        trained = with_teachers(network, teaching, *files, split=int(w.split), seed=seed)
    history = train_network(
        trained,
        **tables,
        selection=selection,
        keep=float(w.keep),
        split=int(w.split),
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
        save_network(network, snakemake.output.weights)
        facts = {"variant": {**variant, "keep": float(w.keep), "split": int(w.split)}, "seed": seed, "recipe": recipe}
        facts |= {name: json.loads(snakemake.params[name]) for name in ("network", "teaching", "sampler")}
        facts["scale"] = score_scale(tables["images"])
        facts["cost"] = forward_cost(network, settings["size"])
        write_sidecar(snakemake.output.sidecar, facts, list(snakemake.input))


job = snakemake.output[0], dict(snakemake.params.items()), list(snakemake.input)
with (
    job_log(snakemake.log[0]),
    granted_device(snakemake) as device,
    resumable("results/checkpoints/train_network", *job) as checkpoints,
):
    launch(train, granted_cards(snakemake) if device == "cuda" else 1)
