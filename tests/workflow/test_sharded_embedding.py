"""A dataset that is embedded in parts: the same table, and only lost parts are made again."""

import pytest

from iqadistill import provenance

GRID = {"grid_crops": {"count": 48, "size": 16}}  # of 15 images: three blocks of 256 patches, cut within images
ARGUMENTS = ("embeddings", "--cores", "2", "--configfile")


def study(workflow, name, **shards):
    """Write a study that embeds the same images as several datasets, and return its path."""
    own = {"source": "images", "root": "data"}
    datasets = {dataset: {**own, "shards": count} for dataset, count in shards.items()}
    return workflow.study(name, samplers=GRID, datasets=datasets)


@pytest.mark.slow
def test_shards_make_the_table_of_one_job_and_only_lost_ones_are_made_again(workflow, monkeypatch):
    workflow.write_images()
    asked = study(workflow, "asked", whole=1, parts=3)
    workflow.run_forked(*ARGUMENTS, asked)
    results = workflow.folder / "results"
    parts, whole = sorted((results / "embed_patches").rglob("*.parquet"))
    assert parts.read_bytes() == whole.read_bytes()
    assert not [file for file in (results / "embed_shard").rglob("*") if file.is_file()]  # they were temporary
    assert not workflow.dry_run(*ARGUMENTS, asked).jobs

    digest = provenance.code_digest
    with monkeypatch.context() as edited:
        edited.setattr(provenance, "code_digest", lambda file, *of: digest(file, *of) + "x" * ("embed" in file.stem))
        planned = workflow.dry_run(*ARGUMENTS, asked).counts
    assert planned == {"embed_patches": 1, "embed_shard": 3, "gather_shards": 1, "embeddings": 1}

    other = study(workflow, "other", whole=3, parts=2)
    assert not workflow.dry_run(*ARGUMENTS, other).jobs  # another number of shards makes no other table
    refused = workflow.run(*ARGUMENTS, other, "--forcerun", "embed_patches", check=False)
    assert refused.returncode and "was made with shards: 1, but datasets.whole has shards: 3" in refused.stdout
    assert whole.exists()

    logs = sorted((results / "logs/embed_shard").rglob("?-of-3.log"))
    for log in logs[::2]:  # two of three shards are there, as after a kill
        shard = results / log.relative_to(results / "logs").with_suffix(".parquet")
        shard.parent.mkdir(parents=True, exist_ok=True)
        shard.touch()
        shard.with_suffix(".json").touch()
    parts.unlink()
    planned = workflow.dry_run(*ARGUMENTS, asked)
    assert (planned.counts["embed_shard"], planned.counts["gather_shards"], planned.counts["embed_patches"]) == (
        1,
        1,
        0,
    )
    assert {job.wildcards["shard"] for job in planned.jobs if job.rule == "embed_shard"} == {"2-of-3"}


def test_each_shard_asks_for_a_card_and_the_gathering_for_none(workflow):
    own = {"source": "images", "root": "data", "shards": 3}
    planned = workflow.dry_run(*ARGUMENTS, workflow.study(device="auto", datasets={"own": own})).jobs
    assert [job.resources["gpu"] for job in planned if job.rule == "embed_shard"] == [1, 1, 1]
    assert [job.resources.get("gpu") for job in planned if job.rule == "gather_shards"] == [None]


def test_missing_weights_of_a_table_in_parts_are_named(workflow):
    workflow.write_images()
    encoders = {"tiny": {"model": "test_resnet", "weights": "missing.pth"}}
    own = {"source": "images", "root": "data", "shards": 3}
    refused = workflow.dry_run(*ARGUMENTS, workflow.study(datasets={"own": own}, encoders=encoders), check=False)
    assert not refused.succeeded and "MissingInputException" in refused.text and "missing.pth" in refused.text
