"""Residual selection: patches that their similarity structure explains best are kept first (arXiv 2412.12667)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.selection.settings import ResidualOptions, SelectorSettings

if TYPE_CHECKING:
    from iqadistill.selection.residual import ResidualSelector


class ResidualSettings(ResidualOptions, SelectorSettings):
    """Residual selection: patches that their similarity structure explains best are kept first (arXiv 2412.12667)."""

    label: ClassVar[str] = "residual"
    colour: ClassVar[str] = "#d55e00"
    marker: ClassVar[str] = "o"
    order: ClassVar[int] = 0

    method: Literal["residual"] = Field("residual", description="Name of the selector; default: the entry's name.")

    def create(self, device: str = "cpu") -> ResidualSelector:
        """The selector on a device."""
        from iqadistill.selection.residual import ResidualSelector

        return ResidualSelector(**self.model_dump(exclude={"method"}), device=device)
