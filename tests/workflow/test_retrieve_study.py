"""A dataset of the user's from the download: an archive on a web server, and one that its authors must be asked for."""

import base64
import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from shared_results import shared_result

pytestmark = pytest.mark.xdist_group("retrieve")


def panorama(scene: int, level: int) -> bytes:
    """A 256 x 128 panorama of coloured blocks, the less like its scene the higher the level, as PNG."""
    blocks = np.random.default_rng(scene).uniform(60, 200, (8, 16, 3))
    blocks = blocks + np.random.default_rng([scene, level]).normal(0, 8 * level, blocks.shape)
    image = Image.fromarray(np.clip(blocks, 0, 255).astype(np.uint8)).resize((256, 128), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def write_archive(file) -> None:
    """Thirty panoramas with images.csv."""
    names = [(scene, level) for scene in range(6) for level in range(1, 6)]
    rows = [f"{scene}_{level}.png,{5 - 0.8 * level + scene / 50:.2f},{scene}" for scene, level in names]
    entries = {f"{scene}_{level}.png": panorama(scene, level) for scene, level in names}
    entries["images.csv"] = "\n".join(["image,mos,reference", *rows]).encode()
    with tarfile.open(file, "w:gz", compresslevel=1) as packed:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def test_own_archive_is_retrieved_once_and_indexed(workflow, mirror):
    write_archive(mirror.folder / "lab.tar.gz")
    archive = {"name": "lab.tar.gz", "urls": [mirror.url("lab.tar.gz")]}
    own = {"title": "Ours", "kind": "sphere", "origin": "archive", "score": {}, "archives": [archive]}
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": own}))
    samplers = {"erp": {"count": 4, "size": 32}}
    study = workflow.study(datasets={"lab": {}}, samplers=samplers)
    arguments = ["datasets", "patches", "--cores", "2", "--configfile", study]
    workflow.run_forked(*arguments)
    assert len(pd.read_parquet(shared_result(workflow.folder, "index_dataset", "lab"))) == 30
    manifest = shared_result(workflow.folder, "retrieve_dataset", "lab", suffix=".json")
    facts = json.loads(manifest.read_text())
    assert facts["dataset"] == "lab" and facts["files"]["lab.tar.gz"]["url"] == mirror.url("lab.tar.gz")
    # the same bytes found once more change nothing behind them
    assert not workflow.dry_run(*arguments).jobs
    printed = workflow.run(*arguments, "--forcerun", str(manifest.relative_to(workflow.folder))).stdout
    assert "Retrieving the official files of lab" in printed and "Checking every image" not in printed
    assert [name for name, _ in mirror.asked] == ["lab.tar.gz"] and not workflow.dry_run(*arguments).jobs
    # one that has a reason of its own is made, and the run goes on to what else is left to do
    for splits in (workflow.folder / "results/split_dataset").rglob("splits-*"):
        splits.unlink()

    def planned():
        return workflow.dry_run(*arguments).rules - {"datasets", "patches"}

    assert planned() == {"split_dataset"}
    marked = base64.b64encode(str(manifest.relative_to(workflow.folder)).encode()).decode()
    (workflow.folder / ".snakemake/incomplete" / marked).touch()
    assert planned() == {"retrieve_dataset", "split_dataset"}
    whole = manifest.read_bytes()
    manifest.unlink()  # which Snakemake does before the job starts
    everything = {"retrieve_dataset", "index_dataset", "split_dataset", "sample_patches"}
    assert planned() == everything
    manifest.write_bytes(whole[:40])
    assert f"{manifest.name}: not valid JSON" in workflow.dry_run(*arguments, check=False).text
    (workflow.folder / ".snakemake/incomplete" / marked).unlink()
    manifest.write_bytes(whole + b"\n")  # of other files, but killed before their index was made
    assert planned() == everything - {"retrieve_dataset"}
    manifest.write_bytes(whole)
    moved = {**own, "archives": [{**archive, "urls": [mirror.url("new/lab.tar.gz")]}]}
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": moved}))
    assert planned() == {"retrieve_dataset", "split_dataset"}
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": own}))
    workflow.study(datasets={"lab": {"url": mirror.url("lab.tar.gz")}}, samplers=samplers)
    assert planned() == {"retrieve_dataset", "split_dataset"}
    (workflow.folder / "data").rename(workflow.folder / "old")
    assert planned() == everything


def test_gated_dataset_stops_the_run_with_one_sentence(workflow):
    study = workflow.study(datasets={"cviq": {}}, samplers={"lat": {"count": 6, "size": 32}})
    done = workflow.run("--cores", "1", "--configfile", study, check=False)
    assert done.returncode != 0
    assert "error: cviq" in done.stdout and "https://github.com/sunwei925/CVIQDatabase" in done.stdout
    assert "data/cviq" in done.stdout and "Traceback" not in done.stdout
