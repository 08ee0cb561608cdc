"""Viewports of panoramas where they stand for the image best."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import SphereSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class PlacedViewportsSettings(SphereSamplerSettings):
    """Viewports placed by k-medoids of the sphere, weighted by the share of the image that each is nearest to."""

    method: Literal["placed_viewports"] = Field(
        "placed_viewports", description="Name of the sampler; default: the entry's name."
    )

    exponent: float = Field(
        2.0,
        ge=0,
        description="Power of the cosine of latitude by which the equirectangular plane counts: 1 is uniform on the"
        " sphere, more favours the equator.",
    )

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_placed_viewports`."""
        from iqadistill.sampling.placed import sample_placed_viewports

        return sample_placed_viewports(
            images, count=self.count, size=self.size, seed=seed, fov=self.fov_radians, exponent=self.exponent
        )
