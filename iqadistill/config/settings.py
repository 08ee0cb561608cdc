"""What all models of a study's settings share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Settings(BaseModel):
    """Base of every settings model: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
