"""paper_adtrs from miniatures of the official archives on a web server to its report."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "unit/datasets"))
import official_archives

pytestmark = pytest.mark.xdist_group("paper_adtrs")

DATASETS = ("live", "csiq", "tid2013", "livec", "koniq10k")
PICTURES = {".bmp", ".png", ".jpg"}


def fill_pictures(folder: Path) -> None:
    """Give every picture a content of its own: blocks of colour, some of them blurred."""
    for place, file in enumerate(sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)):
        generator = np.random.default_rng(place)
        blocks = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        file.unlink()  # a hard link to the one placeholder
        how = (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)[place % 2]
        blocks.resize((96, 64), how).save(file, "bmp" if file.suffix.lower() == ".bmp" else "png")


def expect_miniatures(registry: Path) -> None:
    """Let the workflow's copy of the registry expect as many pictures as the miniatures have."""
    records = yaml.safe_load(registry.read_text())
    for name in DATASETS:
        counts = zip(("references", "distorted"), official_archives.MINIATURE_COUNTS[name], strict=True)
        records[name] |= {key: count for key, count in counts if count}
    registry.write_text(yaml.safe_dump(records))


def serve(mirror, name: str, folder: Path) -> str:
    """Pack a miniature of an official archive and return its address."""
    labels, write = official_archives.DATASETS[name]
    write(folder / name, labels("miniature"))
    fill_pictures(folder / name)
    with zipfile.ZipFile(mirror.folder / f"{name}.zip", "w") as packed:
        for file in sorted((folder / name).rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                packed.write(file, file.relative_to(folder / name))
    return mirror.url(f"{name}.zip")


@pytest.fixture
def arguments(workflow, mirror, tmp_path_factory):
    """The study as it is shipped but for the size of everything."""
    study = yaml.safe_load((workflow.folder / "studies/paper_adtrs.yaml").read_text())
    assert tuple(study["datasets"]) == DATASETS
    expect_miniatures(workflow.folder / "iqadistill/registry.yaml")
    folder = tmp_path_factory.mktemp("official")
    shipped = {experiment["name"]: experiment for experiment in study["experiments"]}
    network = {"backbone": "test_resnet", "pretrained": False, "size": 64, "epochs": 1, "splits": 1}
    ablated = {**network, "consistency_weight": 0}
    study |= {
        "device": "cpu",
        "datasets": {name: {"url": serve(mirror, name, folder)} for name in DATASETS},
        "samplers": {name: {**study["samplers"][name], "count": 3, "size": 48} for name in study["samplers"]},
        "encoders": {"resnet50": {"model": "test_resnet", "weights": "none", "size": 48}},
        "selectors": {"residual": {"n_components": 2}, "random": {}},
        "keep": [0.4, 1.0],
        "students": {"mlp": {"hidden": [8], "dropout": [0.0], "epochs": 2}, "adtrs": network, "adtrs_ranking": ablated},
        "evaluation": {"splits": 2, "bootstrap": 100},
        "experiments": [
            shipped["five_datasets"],
            shipped["koniq10k"],
            {**shipped["components"], "datasets": ["livec"], "students": ["adtrs", "adtrs_ranking"]},
            {**shipped["backbone_cost"], "datasets": ["livec"], "students": ["adtrs", "adtrs_ranking"]},
            {**shipped["distilled"], "selectors": ["residual"]},
        ],
    }
    study["samplers"]["random_crops_512"]["longer_side"] = 80
    (workflow.folder / "adtrs.yaml").write_text(yaml.safe_dump(study))
    return ["--cores", "2", "--configfile", "adtrs.yaml"]


def test_paper_runs_from_the_download_to_the_report(workflow, arguments):
    workflow.run(*arguments)
    results = workflow.folder / "results/studies/paper_adtrs"
    metrics = pd.read_parquet(results / "metrics.parquet")
    deep = metrics[metrics.student == "adtrs"]
    assert set(deep.dataset) == set(DATASETS) and deep.srcc.notna().all()
    assert set(deep[deep.dataset == "livec"].selector) == {"all", "random", "residual"}
    figures = {file.stem for file in (results / "figures").glob("*.svg")}
    assert figures == {"five_datasets", "koniq10k", "components", "backbone_cost", "distilled"}
    page = (results / "report/index.html").read_text()
    assert "arXiv 2409.07115" in page and "illustration" in page
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
