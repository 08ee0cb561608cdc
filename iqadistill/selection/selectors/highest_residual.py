"""Highest residual first: the negative control of residual selection."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.selection.selectors.residual import ResidualOptions

if TYPE_CHECKING:
    from iqadistill.selection.residual import HighestResidualSelector


class HighestResidualSettings(ResidualOptions):
    """Residual selection reversed: the worst explained patches come first."""

    label: ClassVar[str] = "highest residual first"
    colour: ClassVar[str] = "#cc79a7"
    marker: ClassVar[str] = "<"
    order: ClassVar[int] = 5

    method: Literal["highest_residual"] = Field(
        "highest_residual", description="Name of the selector; default: the entry's name."
    )

    def create(self) -> "HighestResidualSelector":
        """The selector with these settings."""
        from iqadistill.selection.residual import HighestResidualSelector

        return HighestResidualSelector(**self.model_dump(exclude={"method"}))
