"""Settings that all samplers share, and those of samplers for flat images and for panoramas."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from iqadistill.sampling.image_checks import check_panorama, check_patch_fits
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

    @abstractmethod
    def check_image(self, width: int, height: int, name: str) -> None:
        """Refuse an image that patches cannot be placed on.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.
            name: Name of the image in the message.

        Raises:
            InputError: The image is too small, or its width is odd where the sampler needs an even one.
        """

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

    def crop_side(self, width: int, height: int) -> int:
        """Side of a crop in pixels of an image of `width` x `height` pixels."""
        return scaled_side(self.size, width, height, self.longer_side, self.small_images)

    def check_image(self, width: int, height: int, name: str) -> None:
        """Refuse an image smaller than a crop."""
        check_patch_fits(width, height, name, self.crop_side(width, height))


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

    def check_image(self, width: int, height: int, name: str) -> None:
        """Refuse a panorama of odd width."""
        check_panorama(width, name)


class ProjectedSamplerSettings(SphereSamplerSettings):
    """Settings of a sampler whose patches are viewports or crops of the equirectangular plane."""

    projection: Literal["viewport", "crop"] = Field(
        "viewport", description="viewport: rectilinear view; crop: pixels of the equirectangular plane."
    )

    def check_image(self, width: int, height: int, name: str) -> None:
        """Refuse a panorama of odd width (viewports) or one smaller than a crop."""
        if self.projection == "crop":
            check_patch_fits(width, height, name, self.size)
        else:
            super().check_image(width, height, name)


def scaled_side(size: int, width: int, height: int, longer_side: int | None, small_images: str = "refuse") -> int:
    """Side in pixels of a crop that is `size` pixels wide once the image's longer side is resized to `longer_side`.

    With `small_images` "enlarge" it is no longer than the image's shorter side.
    """
    side = size if longer_side is None else round(size * max(width, height) / longer_side)
    return min(side, width, height) if small_images == "enlarge" else side
