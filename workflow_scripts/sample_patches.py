"""Sample the patches of every image of a dataset: coordinates, no pixels."""

import json

from iqadistill.console import job_log
from iqadistill.sampling.patch_table import usable_images
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    sampler = SAMPLERS.create(json.loads(snakemake.params.sampler))
    images = read_table(snakemake.input.images, "images")
    for image in usable_images(images):
        sampler.rule.check(image["width"], image["height"], image["path"])
    write_table(sampler.sample(images, seed=snakemake.params.seed), snakemake.output.patches, "patches")
