"""Where results lie: the path of each rule's outputs, logs and benchmarks."""

import re
from pathlib import Path

from iqadistill.errors import InputError

HEADLINE = "headline"  # folder of the main tables within a study's results
DIGEST = r"[0-9a-f]{8}"

_STUDENT = "{study}/{dataset}/{sampler}/{encoder}/{selector}/{keep}/{student}/{split}"
PATHS = {
    "retrieve_dataset": "results/retrieve_dataset/{files}.json",
    "render_dataset": "results/render_dataset/{files}/images.csv",
    "index_dataset": "results/index_dataset/{dataset}.parquet",
    "split_dataset": "results/split_dataset/{dataset}/{splits}.parquet",
    "sample_patches": "results/sample_patches/{dataset}/{sampler}.parquet",
    "embed_patches": "results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
    "embed_shard": "results/embed_shard/{dataset}/{sampler}/{encoder}/{shard}.parquet",
    "gather_shards": "results/embed_patches/{table}.parquet",
    "select_patches": "results/select_patches/{dataset}/{sampler}/{encoder}/{selector}.parquet",
    "pretrain_teacher": "results/pretrain_teacher/{dataset}/{sampler}/{teacher}/{split}.safetensors",
    "train_mlps": "results/train_mlps/{study}/{dataset}/{sampler}/{encoder}/{student}.safetensors",
    "predict_mlps": "results/predict_mlps/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_random_draws": "results/train_random_draws/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_on_chosen": "results/train_on_chosen/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "predict_patches": "results/predict_patches/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_student": f"results/train_student/{_STUDENT}.safetensors",
    "predict": f"results/predict/{_STUDENT}.parquet",
    "predict_cross": f"results/predict_cross/{_STUDENT}/{{tested}}.parquet",
    "predict_images": "results/predict_images/{study}/{dataset}/{student}.parquet",
    "read_predictions": "results/read_predictions/{study}/{dataset}/{student}.parquet",
    "evaluate": "results/studies/{study}/metrics.parquet",
    "compare": "results/studies/{study}/comparisons.parquet",
    "score_budgets": "results/studies/{study}/budgets/{experiment}.parquet",
    "time_budgets": "results/studies/{study}/budget_times/{experiment}.parquet",
    "score_damage": "results/studies/{study}/damage/{experiment}.parquet",
    "collect_costs": "results/studies/{study}/costs.parquet",
    "plot_metrics": "results/studies/{study}/figures/{experiment}.svg",
    "plot_selection": "results/studies/{study}/figures/{experiment}.svg",
    "plot_budgets": "results/studies/{study}/figures/{experiment}.svg",
    "plot_damage": "results/studies/{study}/figures/{experiment}.svg",
    "render_report": "results/studies/{study}/report/index.html",
}
"""The first output of each rule; its other outputs lie beside it with other suffixes."""

OLDER_STAGES = ("train_network", "predict_network", "predict_elsewhere")
"""Folders of results of older layouts."""

SHARED = (
    "retrieve_dataset",
    "render_dataset",
    "index_dataset",
    "split_dataset",
    "sample_patches",
    "embed_patches",
    "embed_shard",
    "gather_shards",
    "select_patches",
    "pretrain_teacher",
)
"""Rules whose results studies share."""

PREDICTIONS = ("predict_mlps", "predict", "predict_cross", "predict_images", "read_predictions")
COUNTED = (
    *("embed_patches", "embed_shard", "gather_shards", "select_patches", "pretrain_teacher"),
    *("train_mlps", "train_random_draws", "train_on_chosen", "train_student"),
    *PREDICTIONS,
)
"""Rules whose jobs the costs table lists: those whose work grows with the study."""

EMBEDDINGS = ("embed_patches", "gather_shards")
"""Rules whose jobs write an embeddings table, either of them at the same path."""

TIMED = (*EMBEDDINGS, "predict_mlps", "predict", "predict_cross", "predict_images")
"""Rules whose jobs leave the time to embed or score an image beside their table."""

TEMPORARY = {"embed_shard": "embed_patches"}
"""Rules whose outputs are removed, each with the rule whose output holds them in the end."""


def path_of(rule: str, suffix: str | None = None) -> str:
    """Path pattern of a rule's first output, or of another one by its suffix, e.g. ".history.parquet"."""
    pattern = PATHS[rule]
    return pattern if suffix is None else re.sub(r"\.\w+$", suffix, pattern)


def beside(rule: str, folder: str, suffix: str) -> str:
    """Path pattern of a rule's log ("logs", ".log") or benchmark ("benchmarks", ".tsv")."""
    stem = re.sub(r"\.\w+$", "", PATHS[rule]).removeprefix("results/")
    stem = re.sub(r"^(studies|embed_patches)/", f"{rule}/", stem)
    return f"results/{folder}/{stem}{suffix}"


def check_layout(results: Path) -> None:
    """Refuse a results folder of an older layout, whose files would stand beside the present ones unused.

    Raises:
        InputError: `results` holds such files.
    """
    named = re.compile(rf"-{DIGEST}\.parquet$")
    old = [folder for name in OLDER_STAGES if (folder := results / name).is_dir()]
    indexes = sorted((results / "index_dataset").glob("*.parquet"))
    old += [file for file in indexes if not named.search(file.name)]
    if old:
        raise InputError(
            f"{old[0].as_posix()}: is of an older layout of results; move {results.as_posix()} away, or remove what no"
            " study uses with `iqadistill prune --delete`, then run again."
        )
