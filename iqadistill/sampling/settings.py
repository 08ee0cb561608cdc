"""Settings that all samplers share, and those of samplers for flat images and for panoramas."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from iqadistill.sampling.image_checks import PatchRule
from iqadistill.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from iqadistill.panorama.sphere import FieldOfView


class SamplerSettings(Settings):
    """Settings of one sampler: which patches are taken from an image.

    A new sampler is one file in `iqadistill/sampling/samplers/`: a subclass of `FlatSamplerSettings` or
    `SphereSamplerSettings` whose `method` is the name of the file.

    Attributes:
        kind: Images that the sampler is for: "flat" images or panoramas ("sphere").
    """

    kind: ClassVar[Literal["flat", "sphere"]]
    redraws: ClassVar[bool] = False
    """Whether a training may place its patches anew in every epoch: crops of flat images at uniformly random places."""

    method: str = Field(description="Name of the sampler; default: the entry's name.")
    count: int = Field(180, ge=1, description="Largest number of patches of an image.")
    size: int = Field(224, ge=8, description="Side of a patch in pixels.")

    @property
    def varies_in_size(self) -> bool:
        """Whether patches of different images can differ in size; an encoder or student must then have a size."""
        return False

    def files(self) -> tuple[str, ...]:
        """Paths of the files that the sampler reads besides the images."""
        return ()

    @property
    @abstractmethod
    def rule(self) -> PatchRule:
        """What an image must be for patches to be placed on it."""

    @abstractmethod
    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Place patches on every usable image.

        Args:
            images: Table "images".
            seed: Seed; the random stream of an image depends on it and on the image_id only.

        Returns:
            Table "patches".

        Raises:
            InputError: Patches cannot be placed on an image; the message names it.
        """


class FlatSamplerSettings(SamplerSettings):
    """Settings of a sampler that crops flat images."""

    kind: ClassVar[Literal["flat", "sphere"]] = "flat"

    longer_side: int | None = Field(
        None,
        ge=8,
        description="The side of a crop is `size` pixels of the image after its longer side is resized to "
        "`longer_side`; the encoder then needs a size; default: pixels of the original image.",
    )
    small_images: Literal["refuse", "enlarge"] = Field(
        "refuse",
        description="Images smaller than a crop: refuse stops the run; enlarge takes crops as wide as the shorter side"
        " and enlarges them; the encoder then needs a size.",
    )

    @property
    def varies_in_size(self) -> bool:
        """Whether crops of different images can differ in size."""
        return self.longer_side is not None or self.small_images == "enlarge"

    @property
    def rule(self) -> PatchRule:
        """Images are at least as large as a crop."""
        return PatchRule(self.size, self.longer_side, self.small_images)


class SphereSamplerSettings(SamplerSettings):
    """Settings of a sampler of viewports of panoramas."""

    kind: ClassVar[Literal["flat", "sphere"]] = "sphere"

    fov: Annotated[float, Field(gt=0, lt=180)] | Literal["native"] = Field(
        60.0,
        description="Full horizontal angle of a viewport in degrees, or native: the angle at which a viewport of `size`"
        " pixels shows each panorama 1:1. A wider viewport is filtered, and hides distortions finer than its pixels.",
    )

    @field_validator("fov", mode="before")
    @classmethod
    def _only_native_is_no_number(cls, value: object) -> object:
        if isinstance(value, str) and value != "native":
            raise ValueError("expected degrees or native")
        return value

    @property
    def fov_radians(self) -> "FieldOfView":
        """Full horizontal angle of a viewport in radians, or "native"."""
        return "native" if isinstance(self.fov, str) else math.radians(self.fov)

    @property
    def rule(self) -> PatchRule:
        """Panoramas have an even width."""
        return PatchRule(even_width=True)


class ProjectedSamplerSettings(SphereSamplerSettings):
    """Settings of a sampler whose patches are viewports or crops of the equirectangular plane."""

    projection: Literal["viewport", "crop"] = Field(
        "viewport", description="viewport: rectilinear view; crop: pixels of the equirectangular plane."
    )

    @property
    def rule(self) -> PatchRule:
        """Panoramas have an even width (viewports), or are at least as large as a crop."""
        return PatchRule(self.size) if self.projection == "crop" else super().rule
