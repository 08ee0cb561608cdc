"""Schemas of the tables between stages: what columns each kind of table has, and of which types."""

import pyarrow as pa

SCHEMA_VERSION = "1"
# magnitude of embeddings up to which sums of their squared distances, manhattan too, are in the range of a type
LARGEST_EMBEDDING = {"float64": 1e140, "float32": 1e12}

VARIANT = [
    ("train_dataset", pa.string()),
    ("sampler", pa.string()),
    ("encoder", pa.string()),
    ("selector", pa.string()),
    ("keep", pa.float64()),
    ("teacher", pa.string()),
    ("student", pa.string()),
    ("split", pa.int32()),
]
VARIANT_COLUMNS = [name for name, _ in VARIANT]
VARIANT_OVER_SPLITS = [name for name in VARIANT_COLUMNS if name != "split"]
_OTHER_VARIANT = [(f"other_{name}", kind) for name, kind in VARIANT if name != "split"]
_VARIANT_OVER_SPLITS = [(name, kind) for name, kind in VARIANT if name != "split"]
_DECIDED = [
    ("verdict", pa.string()),
    ("difference", pa.float64()),
    ("difference_low", pa.float64()),
    ("difference_high", pa.float64()),
    ("smallest_detectable", pa.float64()),
]
METRICS = ["srcc", "plcc", "plcc_raw", "krcc", "rmse"]

SCHEMAS: dict[str, pa.Schema] = {
    "images": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("path", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("score", pa.float64()),
            ("score_std", pa.float64()),
            ("quality", pa.float64()),
            ("reference_id", pa.string()),
            ("is_reference", pa.bool_()),
            ("distortion", pa.string()),
            ("level", pa.int32()),
            ("region", pa.string()),  # the only part that is damaged, see iqadistill.datasets.regions; else null
            ("official_role", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
        ]
    ),
    "splits": pa.schema([("split", pa.int32()), ("image_id", pa.string()), ("role", pa.string())]),
    "patches": pa.schema(
        [
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("order", pa.int32()),
            ("x", pa.int32()),
            ("y", pa.int32()),
            ("yaw", pa.float64()),
            ("pitch", pa.float64()),
            ("fov", pa.float64()),
            ("size", pa.int32()),
            ("weight", pa.float32()),
        ]
    ),
    # "embeddings" depends on the width: see embeddings_schema
    "selection": pa.schema(
        [("patch_id", pa.int64()), ("image_id", pa.string()), ("residual", pa.float64()), ("rank", pa.int32())]
    ),
    "selection_trace": pa.schema(
        [("image_id", pa.string()), ("iteration", pa.int32()), ("objective", pa.float64()), ("gap", pa.float64())]
    ),
    "history": pa.schema(
        [
            *VARIANT,
            ("epoch", pa.int32()),
            ("step", pa.int32()),
            ("loss", pa.float64()),
            ("parts", pa.map_(pa.string(), pa.float64())),  # of the loss, by name; null where it is one
            ("lr", pa.float64()),
            ("val_srcc", pa.float64()),
            ("num_patches", pa.int64()),
            ("seconds", pa.float64()),
            ("peak_memory", pa.float64()),
        ]
    ),
    "predictions": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            *VARIANT,
            ("score", pa.float64()),
            ("prediction", pa.float64()),
            ("flipped", pa.float64()),  # prediction from horizontally flipped patches; null where it was not asked for
            ("num_patches", pa.int32()),
        ]
    ),
    # test images as students of random rankings score them, one row an image, split and ranking
    "draws": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("keep", pa.float64()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("draw", pa.int32()),
            ("score", pa.float64()),
            ("prediction", pa.float64()),
        ]
    ),
    # patches of test images as the students on all patches score them
    "patch_scores": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("score", pa.float64()),
        ]
    ),
    # one row a choice of patches and number of them; random: the mean over rankings, and the range of 95 % of them
    "budgets": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("patches", pa.int32()),
            ("srcc", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("distance", pa.float64()),  # mean absolute distance to the score from all patches, on quality's scale
            ("splits", pa.int32()),
            ("margin", pa.float64()),
            ("draws", pa.int32()),  # random rankings that the selector stands among
            ("below", pa.int32()),  # those with a lower SRCC
            ("p", pa.float64()),
            *_DECIDED,  # against random
            ("reason", pa.string()),
            *((f"all_{name}", kind) for name, kind in _DECIDED),  # against all patches
            ("mean_patches", pa.float64()),  # where each split decides on its own number of them
        ]
    ),
    # milliseconds to score an image: fixed + per_patch x number of patches, the choice of them included
    "budget_times": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("fixed", pa.float64()),
            ("per_patch", pa.float64()),
            ("images", pa.int32()),  # that it was measured on
        ]
    ),
    # patches of images that are damaged in a region, and the mean score that a student gives them as patches of test
    # images; one row a patch and student
    "damaged_patches": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("damaged", pa.float64()),  # share of the patch that is damaged
            ("score", pa.float64()),
        ]
    ),
    # one row an order of patches and part of the images: how well it tells damaged patches from others. The selector
    # `all` stands for the patch scores of a student, lowest first; other selectors have no student
    "damage": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("region", pa.string()),  # kind of region; null: all
            ("level", pa.int32()),  # null: all
            ("auc", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("images", pa.int32()),  # with damaged and other patches
            ("contents", pa.int32()),
        ]
    ),
    # test images as students score them that were trained on so many chosen or randomly drawn training images
    "choices": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("chooser", pa.string()),
            ("budget", pa.int32()),
            ("draw", pa.int32()),
            ("score", pa.float64()),
            ("prediction", pa.float64()),
        ]
    ),
    "metrics": pa.schema(
        [
            ("dataset", pa.string()),
            *VARIANT,
            *((name, pa.float64()) for name in METRICS),
            ("n", pa.int32()),
            ("mapping", pa.string()),  # form of the mapping before PLCC and RMSE; null where none was fitted
        ]
    ),
    # one row a variant, split and type of distortion; an empty type stands for all test images
    "distortions": pa.schema(
        [
            ("dataset", pa.string()),
            *VARIANT,
            ("distortion", pa.string()),
            ("images", pa.int32()),
            ("srcc", pa.float64()),
        ]
    ),
    # one row a variant: mean over splits with its interval, and median and spread as descriptions
    "summary": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("metric", pa.string()),
            ("mean", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("median", pa.float64()),
            ("std", pa.float64()),
            ("splits", pa.int32()),
        ]
    ),
    # one row a variant that was trained on the official split: a single training, and an interval over contents
    "official": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("n", pa.int32()),
        ]
    ),
    # one row a deep student whose predictions were made of flipped patches too
    "stability": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("difference", pa.float64()),
            ("std", pa.float64()),
            ("splits", pa.int32()),
        ]
    ),
    "comparisons": pa.schema(
        [
            ("dataset", pa.string()),
            ("family", pa.string()),
            *_VARIANT_OVER_SPLITS,
            *_OTHER_VARIANT,
            ("metric", pa.string()),
            ("delta", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("p", pa.float64()),
            ("p_holm", pa.float64()),
            ("test", pa.string()),
            ("verdict", pa.string()),
            ("margin", pa.float64()),
            ("smallest_detectable", pa.float64()),
            ("draws", pa.int32()),  # random rankings that the selector stands among; 0 where it is no such test
            ("below", pa.int32()),  # those with a lower SRCC
            ("deviation", pa.float64()),  # of the SRCC over the random rankings
            ("reason", pa.string()),
        ]
    ),
    # one row a primary comparison
    "verdicts": pa.schema(
        [
            ("dataset", pa.string()),
            *((name, kind) for name, kind in _VARIANT_OVER_SPLITS if name not in ("train_dataset", "teacher")),
            *(
                (f"other_{name}", kind)
                for name, kind in _VARIANT_OVER_SPLITS
                if name not in ("train_dataset", "teacher")
            ),
            ("axis", pa.string()),
            ("metric", pa.string()),
            ("verdict", pa.string()),
            ("margin", pa.float64()),
            ("difference", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("smallest_detectable", pa.float64()),
            ("p", pa.float64()),
            ("p_adjusted", pa.float64()),
            ("p_equivalence", pa.float64()),
            ("test", pa.string()),
            ("splits", pa.int32()),
            ("draws", pa.int32()),  # random rankings that the selector stands among; 0 where it is no such test
            ("below", pa.int32()),  # those with a lower SRCC
            ("deviation", pa.float64()),  # of the SRCC over the random rankings
            ("p_normal", pa.float64()),
            ("reason", pa.string()),
        ]
    ),
    "costs": pa.schema(
        [
            ("rule", pa.string()),
            ("wildcards", pa.string()),
            ("seconds", pa.float64()),
            ("cpu_seconds", pa.float64()),
            ("max_rss", pa.float64()),
            ("max_vram", pa.float64()),
            ("parameters", pa.float64()),
            ("flops", pa.float64()),
            ("scored_images", pa.float64()),
            ("scored_patches", pa.float64()),
            ("scoring_seconds", pa.float64()),  # of all these images, once
        ]
    ),
}


def embeddings_schema(width: int, dtype: str = "float32") -> pa.Schema:
    """Schema of an embeddings table whose vectors have `width` entries of type float32 or float16."""
    element = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    return pa.schema([("patch_id", pa.int64()), ("image_id", pa.string()), ("embedding", pa.list_(element, width))])
