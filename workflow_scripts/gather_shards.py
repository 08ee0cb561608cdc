"""Gather the embeddings of a large dataset from its shards."""

from iqadistill.console import job_log
from iqadistill.encoders.shards import gather_shards
from iqadistill.evaluation.scoring_time import read_scoring_time, write_scoring_time
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    patches = read_table(snakemake.input.patches, "patches")
    files = snakemake.input.shards
    embeddings = gather_shards((read_table(file, "embeddings") for file in files), patches)
    seconds = sum(read_scoring_time(file).seconds for file in snakemake.input.times)
    embedded = len(embeddings["image_id"].unique())
    write_scoring_time(snakemake.output.time, seconds, images=embedded, patches=len(embeddings), shards=len(files))
    write_table(embeddings, snakemake.output.embeddings, "embeddings")
