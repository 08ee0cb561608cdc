"""LAT sampling: latitude-aware, the equator favoured."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import ProjectedSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class LatSettings(ProjectedSamplerSettings):
    """Latitude-aware patches, fewer towards the poles (arXiv 2412.12667)."""

    method: Literal["lat"] = Field("lat", description="Name of the sampler; default: the entry's name.")

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_latitude`."""
        from iqadistill.sampling.equirectangular import sample_latitude

        return sample_latitude(
            images, count=self.count, size=self.size, seed=seed, fov=self.fov_radians, projection=self.projection
        )
