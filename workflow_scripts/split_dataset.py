"""Split a dataset by content into train, val and test roles."""

from iqadistill.console import job_log
from iqadistill.datasets.splits import split_dataset
from iqadistill.tables import read_metadata, read_table, write_csv, write_table

with job_log(snakemake.log[0]):
    splits = split_dataset(
        read_table(snakemake.input.images, "images"),
        splits=snakemake.params.splits,
        test_fraction=snakemake.params.test_fraction,
        val_fraction=snakemake.params.val_fraction,
        seed=snakemake.params.seed,
        kinds=snakemake.params.kinds,
        protocol=snakemake.params.protocol,
    )
    write_csv(splits, snakemake.output.csv)
    write_table(splits, snakemake.output.splits, "splits", read_metadata(splits))
