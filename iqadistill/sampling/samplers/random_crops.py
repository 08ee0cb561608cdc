"""Crops of flat images at random positions, all different."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.sampling.settings import FlatSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class RandomCropsSettings(FlatSamplerSettings):
    """Square crops at random positions, all different."""

    redraws: ClassVar[bool] = True

    method: Literal["random_crops"] = Field(
        "random_crops", description="Name of the sampler; default: the entry's name."
    )

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_crops`."""
        from iqadistill.sampling.crops import sample_crops

        return sample_crops(
            images,
            count=self.count,
            size=self.size,
            seed=seed,
            method="random",
            longer_side=self.longer_side,
            small_images=self.small_images,
        )
