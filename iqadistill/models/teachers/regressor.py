"""CNN or INN teacher of RKIQT: a backbone and a linear layer (arXiv 2312.00591)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iqadistill.models.settings import TeacherSettings
from iqadistill.settings import Fraction

if TYPE_CHECKING:
    from iqadistill.models.rkiqt.regressor import Regressor


class RegressorSettings(TeacherSettings):
    """CNN or INN teacher of RKIQT, trained on the training images of its students."""

    label: ClassVar[str] = "CNN or INN teacher"

    model: Literal["regressor"] = Field("regressor", description="regressor: a backbone and a linear layer.")
    backbone: str = Field(
        "efficientnet_b0", description="Backbone: any timm network with four stages, or rednet26, 38, 50 or 101."
    )
    dropout: Fraction = Field(0.0, description="Dropout rate before the linear layer.")

    @model_validator(mode="after")
    def _rednet_weights_come_from_a_file(self) -> Self:
        if self.backbone.startswith("rednet") and self.weights in ("hub", "packaged"):
            raise ValueError(
                "a RedNet has no weights to download; set weights to the file that its authors published, or to none"
            )
        return self

    def create_network(self, size: int) -> Regressor:
        """The network before its training, for patches of `size` pixels a side."""
        from iqadistill.models.rkiqt.regressor import Regressor

        return Regressor(self, size)
