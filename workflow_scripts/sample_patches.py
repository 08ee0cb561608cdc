"""Place patches on every picture of a dataset: coordinates, never pixels."""

import json
import math

from iqadistill.console import job_log
from iqadistill.sampling.registry import create_sampler
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    settings = json.loads(snakemake.params.sampler)
    if "fov" in settings:  # a study gives degrees
        settings["fov"] = math.radians(settings["fov"])
    sampler = create_sampler(settings.pop("method"), **settings, seed=snakemake.params.seed)
    write_table(sampler(read_table(snakemake.input.images, "images")), snakemake.output.patches, "patches")
