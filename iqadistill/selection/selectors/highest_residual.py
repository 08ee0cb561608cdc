"""Negative control: the ranking of residual selection reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.selection.settings import ResidualOptions, SelectorSettings

if TYPE_CHECKING:
    from iqadistill.selection.residual import HighestResidualSelector


class HighestResidualSettings(ResidualOptions, SelectorSettings):
    """Negative control: the ranking of residual selection reversed."""

    label: ClassVar[str] = "highest residual first"
    colour: ClassVar[str] = "#cc79a7"
    marker: ClassVar[str] = "<"
    order: ClassVar[int] = 40

    method: Literal["highest_residual"] = Field(
        "highest_residual", description="Name of the selector; default: the entry's name."
    )

    def create(self, device: str = "cpu") -> HighestResidualSelector:
        """The selector on a device."""
        from iqadistill.selection.residual import HighestResidualSelector

        return HighestResidualSelector(**self.model_dump(exclude={"method"}), device=device)
