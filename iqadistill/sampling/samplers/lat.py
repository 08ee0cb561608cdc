"""LAT sampling: latitude-aware, the equator favoured."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import ProjectedSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class LatSettings(ProjectedSamplerSettings):
    """Latitude-aware patches, fewer towards the poles (arXiv 2412.12667)."""

    method: Literal["lat"] = Field("lat", description="Name of the sampler; default: the entry's name.")

    exponent: float = Field(
        2.0,
        ge=0,
        description="Power of the cosine of latitude by which patches of the equirectangular plane are kept: 1 is"
        " uniform on the sphere, more favours the equator.",
    )

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_latitude`."""
        from iqadistill.sampling.equirectangular import sample_latitude

        return sample_latitude(
            images,
            count=self.count,
            size=self.size,
            seed=seed,
            fov=self.fov_radians,
            projection=self.projection,
            exponent=self.exponent,
        )
