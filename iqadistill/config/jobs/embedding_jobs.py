"""Jobs that embed patches and rank them by their embeddings."""

from collections.abc import Iterator

from iqadistill.config.jobs.files import Files, seed_of_draw
from iqadistill.config.jobs.job import Job, dump, text
from iqadistill.encoders.registry import ENCODERS
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import RANDOM


def embedding_jobs(plan: Files) -> Iterator[Job]:
    """Embed patches, and rank them by each selector and by each random draw."""
    for table in sorted(plan.embedded):
        settings = plan.study.encoders[table.encoder]
        inputs = {
            "images": plan.images_file(table.dataset),
            "patches": plan.patches_file(table.dataset, table.sampler),
            "weights_file": list(settings.files()),
        }
        params = {"encoder": text(dump(settings)), "weights_file": plan.file_states(settings.files())}
        modules = (ENCODERS.module(settings.backend),)
        job = Job("embed_patches", plan.table_ids(table), table._asdict(), inputs, params, modules)
        shards = plan.shards_of(table)
        yield from [job] if shards == 1 else _sharded(job, shards)
    for table, name in sorted(plan.rankings):
        selector = plan.study.selectors[name]
        placed = [table] if selector.needs_patches else []
        inputs = {
            "embeddings": plan.embeddings_file(table),
            "patches": [plan.patches_file(one.dataset, one.sampler) for one in placed],
            "images": [plan.images_file(one.dataset) for one in placed],
        }
        yield Job(
            "select_patches",
            {**plan.table_ids(table), "selector": plan.selector_ids[name]},
            {**table._asdict(), "selector": name},
            inputs,
            {"selector": text(dump(selector)), "seed": plan.study.seed},
            (SELECTORS.module(selector.method),),
        )
    for table, draw in sorted({(job.table, job.draw) for job in plan.draw_jobs if job.draw is not None}):
        control = plan.study.selectors[RANDOM]
        yield Job(
            "select_patches",
            plan.drawn_selection(table, draw),
            {**table._asdict(), "selector": RANDOM, "draw": draw},
            {"embeddings": plan.embeddings_file(table), "patches": [], "images": []},
            {"selector": text(dump(control)), "seed": seed_of_draw(plan.study.seed, draw)},
            (SELECTORS.module(control.method),),
        )


def _sharded(job: Job, shards: int) -> Iterator[Job]:
    """Embed parts of a table in jobs of their own, and gather them at the path where one job would write the table.

    The job that gathers is given what the parts are: they are removed, and so is what Snakemake knows of them.
    """
    parts = []
    for number in range(shards):
        shard = {"shard": f"{number + 1}-of-{shards}"}
        params = {**job.params, "number": number, "shards": shards}
        parts.append(
            Job("embed_shard", {**job.wildcards, **shard}, {**job.names, **shard}, job.inputs, params, job.modules)
        )
    table = "/".join(job.wildcards[name] for name in ("dataset", "sampler", "encoder"))
    inputs = {
        "patches": job.inputs["patches"],
        "shards": [part.output for part in parts],
        "times": [part.file(".json") for part in parts],
    }
    yield from [*parts, Job("gather_shards", {"table": table}, job.names, inputs, job.params, job.modules)]
