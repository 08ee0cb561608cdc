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
        yield Job("embed_patches", plan.table_ids(table), table._asdict(), inputs, params, modules)
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
