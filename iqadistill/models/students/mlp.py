"""MLP student: a regressor on the embeddings of kept patches."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iqadistill.models.settings import LearnsFrom, StudentSettings
from iqadistill.settings import Fraction

if TYPE_CHECKING:
    import torch

    from iqadistill.models.mlp import MLP


class MlpSettings(StudentSettings):
    """Fully connected layers on frozen embeddings, the student of arXiv 2412.12667."""

    learns_from: ClassVar[LearnsFrom] = "embeddings"
    label: ClassVar[str] = "MLP"

    model: Literal["mlp"] = Field("mlp", description="mlp: fully connected layers on frozen embeddings.")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1024, 512), description="Widths of the hidden layers; an empty list makes the model linear."
    )
    dropout: tuple[Fraction, ...] = Field((0.5, 0.25), description="Dropout rate after each hidden layer.")
    loss: Literal["l1", "huber"] = Field("l1", description="Loss between a patch's score and the quality of its image.")
    epochs: int = Field(30, ge=1, description="Passes over the training images; fixed, never chosen on a result.")
    batch_images: int = Field(16, ge=1, description="Images per step, each with its kept patches.")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate of Adam.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay.")

    @model_validator(mode="after")
    def _one_dropout_per_hidden_layer(self) -> Self:
        if len(self.dropout) != len(self.hidden):
            raise ValueError(
                f"hidden has {len(self.hidden)} widths and dropout {len(self.dropout)} rates; give one rate per width"
            )
        return self

    def count_parameters(self, width: int) -> int:
        """Number of weights and biases.

        Args:
            width: Length of an embedding.
        """
        return sum((before + 1) * after for before, after in pairwise([width, *self.hidden, 1]))

    def create_network(self, width: int, generator: torch.Generator | None = None) -> MLP:
        """The network before its training.

        Args:
            width: Length of an embedding.
            generator: Generator of the initial weights; default: torch's global one.
        """
        from iqadistill.models.mlp import MLP

        return MLP(width, self, generator)
