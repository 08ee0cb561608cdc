"""A whole study from the download: the paper's datasets and an own one, from a web server to the report."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy.io import savemat
from shared_results import shared_result

pytestmark = pytest.mark.xdist_group("retrieve")

LEVELS = 5


def panorama(scene: int, level: float) -> bytes:
    """A 256 x 128 panorama of coloured blocks, the less like its scene the higher the level, as PNG."""
    blocks = np.random.default_rng(scene).uniform(60, 200, (8, 16, 3))
    blocks = blocks + np.random.default_rng([scene, int(10 * level)]).normal(0, 8 * level, blocks.shape)
    picture = Image.fromarray(np.clip(blocks, 0, 255).astype(np.uint8)).resize((256, 128), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def matrix(**variables) -> bytes:
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


def cviq() -> Iterator[tuple[str, bytes]]:
    """CVIQ as its authors unpack it: blocks of 33 distorted panoramas and their reference, and CVIQ.mat."""
    rows = np.empty((544, 2), dtype=object)
    for number in range(544):
        scene, place = divmod(number, 34)
        level = 0 if place == 33 else place % 11 / 2 + 0.5
        rows[number] = f"{number + 1:03d}.png", 70 - 9.0 * level + scene / 10
        yield f"CVIQ/{number + 1:03d}.png", panorama(scene, level)
    yield "CVIQ/CVIQ.mat", matrix(CVIQ=rows)


def oiqa() -> Iterator[tuple[str, bytes]]:
    """OIQA: 20 distorted panoramas a scene, then a reference a scene, MOS in the same order."""
    scores = []
    for number in range(320):
        scene, place = divmod(number, 20)
        level = place % LEVELS + 1
        scores.append(8.5 - 1.4 * level + scene / 40)
        yield f"OIQA/distorted_images/img{number + 1}.png", panorama(100 + scene, level)
    for scene in range(16):
        scores.append(9.0)
        yield f"OIQA/reference_images/img{scene + 1}.png", panorama(100 + scene, 0)
    yield "OIQA/MOS/360IQA_MOS.mat", matrix(MOS=np.array(scores)[:, None])


def mvaqd() -> Iterator[tuple[str, bytes]]:
    """MVAQD: numbered panoramas in one folder, rows of reference, image and score."""
    rows = []
    for number in range(1, 316):
        scene = (number - 1) % 15
        level = 0 if number <= 15 else (number - 16) // 15 % LEVELS + 1
        if level:
            rows.append(f"{scene + 1}.png {number}.png {4.9 - 0.75 * level + scene / 100:.2f}")
        yield f"MVAQD/{number}.png", panorama(200 + scene, level)
    yield "MVAQD/MVAQD_ref_dis_label.txt", "\n".join(rows).encode()


def lab() -> Iterator[tuple[str, bytes]]:
    """A user's own panoramas with images.csv."""
    rows = ["image,mos,reference"]
    for scene in range(6):
        for level in range(1, LEVELS + 1):
            rows.append(f"{scene}_{level}.png,{5 - 0.8 * level + scene / 50:.2f},{scene}")
            yield f"{scene}_{level}.png", panorama(300 + scene, level)
    yield "images.csv", "\n".join(rows).encode()


def pack(file, entries) -> None:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as packed:
            for name, content in entries:
                packed.writestr(name, content)
        return
    with tarfile.open(file, "w:gz", compresslevel=1) as packed:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


@pytest.fixture
def paper_study(workflow, mirror):
    """paper_selection360 made small, its datasets and an own one on the mirror."""
    for name, entries in (("CVIQ.zip", cviq), ("OIQA.zip", oiqa), ("MVAQD.tar.gz", mvaqd), ("lab.zip", lab)):
        pack(mirror.folder / name, entries())
    archive = {"name": "lab.zip", "urls": [mirror.url("lab.zip")]}
    own = {"title": "Ours", "kind": "sphere", "origin": "archive", "score": {}, "archives": [archive]}
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": own}))
    study = yaml.safe_load((workflow.folder / "studies/paper_selection360.yaml").read_text())
    assert list(study["datasets"]) == ["cviq", "oiqa", "mvaqd"]
    for name, file in (("cviq", "CVIQ.zip"), ("oiqa", "OIQA.zip"), ("mvaqd", "MVAQD.tar.gz")):
        study["datasets"][name]["url"] = mirror.url(file)
    study["datasets"]["lab"] = {}
    study |= {
        "name": "paper",
        "device": "cpu",
        "samplers": {"erp": {"count": 4, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"residual": {"n_components": 2}},
        "keep": [0.5, 1.0],
        "students": {"mlp": {"hidden": [8], "dropout": [0.0], "epochs": 2}},
        "evaluation": {"splits": 2, "bootstrap": 100},
        # every dataset to its report, and the selection for one of them
        "experiments": [
            {"figure": "rate_sweep", "datasets": ["cviq"]},
            {"name": "all_patches", "figure": "rate_sweep", "keep": [1.0]},
        ],
    }
    (workflow.folder / "paper.yaml").write_text(yaml.safe_dump(study))
    return ["--cores", "2", "--configfile", "paper.yaml"]


def test_study_runs_from_the_download_to_the_report(workflow, mirror, paper_study):
    workflow.run_forked(*paper_study)
    results = workflow.folder / "results"
    counts = {
        name: len(pd.read_parquet(shared_result(workflow.folder, "index_dataset", name)))
        for name in ("cviq", "oiqa", "mvaqd", "lab")
    }
    assert counts == {"cviq": 544, "oiqa": 336, "mvaqd": 315, "lab": 30}
    metrics = pd.read_parquet(results / "studies/paper/metrics.parquet")
    assert set(metrics.dataset) == set(counts) and metrics.srcc.notna().all()
    assert (results / "studies/paper/report/index.html").stat().st_size > 10_000
    manifest = json.loads(shared_result(workflow.folder, "retrieve_dataset", "oiqa", suffix=".json").read_text())
    assert manifest["dataset"] == "oiqa" and manifest["files"]["OIQA.zip"]["url"] == mirror.url("OIQA.zip")
    assert sorted(name for name, _ in mirror.asked) == ["CVIQ.zip", "MVAQD.tar.gz", "OIQA.zip", "lab.zip"]
    # the same bytes found once more change nothing behind them
    assert not workflow.dry_run(*paper_study).jobs
    lab_manifest = shared_result(workflow.folder, "retrieve_dataset", "lab", suffix=".json")
    printed = workflow.run(*paper_study, "--forcerun", str(lab_manifest.relative_to(workflow.folder))).stdout
    assert "Retrieving the official files of lab" in printed and "Checking every image" not in printed
    assert len(mirror.asked) == 4


def test_gated_dataset_stops_the_run_with_one_sentence(workflow):
    study = workflow.study(datasets={"cviq": {}}, samplers={"lat": {"count": 6, "size": 32}})
    done = workflow.run("--cores", "1", "--configfile", study, check=False)
    assert done.returncode != 0
    assert "error: cviq" in done.stdout and "https://github.com/sunwei925/CVIQDatabase" in done.stdout
    assert "data/cviq" in done.stdout and "Traceback" not in done.stdout
