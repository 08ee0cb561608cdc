"""Train a deep student on the kept patches of one split; a killed job goes on where it was."""

import json

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.models import create_model
from iqadistill.provenance import write_sidecar
from iqadistill.tables import read_table, write_table
from iqadistill.training.checkpoints import resumable
from iqadistill.training.engine import train_network
from iqadistill.training.network_recipe import NetworkRecipe
from iqadistill.training.network_weights import save_network
from iqadistill.training.score_scale import score_scale

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    w, seed = snakemake.wildcards, snakemake.params.seed
    settings, recipe = json.loads(snakemake.params.network), json.loads(snakemake.params.recipe)
    tables = {name: read_table(snakemake.input[name], name) for name in ("images", "splits", "patches")}
    selection = next((read_table(file, "selection") for file in snakemake.input.selection), None)
    variant = {name: w[name] for name in ("sampler", "encoder", "selector", "student")}
    variant |= {"train_dataset": w.dataset, "teacher": ""}
    torch.manual_seed(seed + int(w.split))
    network = create_model(settings.pop("model"), **settings)
    params = dict(snakemake.params.items())
    with resumable("results/checkpoints/train_network", params, list(snakemake.input)) as checkpoints:
        history = train_network(
            network,
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
        write_table(history, snakemake.output.history, "history")
        save_network(network, snakemake.output.weights)
        facts = {"variant": {**variant, "keep": float(w.keep), "split": int(w.split)}, "seed": seed, "recipe": recipe}
        facts |= {name: json.loads(snakemake.params[name]) for name in ("network", "sampler")}
        facts["scale"] = score_scale(tables["images"])
        write_sidecar(snakemake.output.sidecar, facts, list(snakemake.input))
