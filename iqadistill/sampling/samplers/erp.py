"""ERP sampling: uniform on the equirectangular plane."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import ProjectedSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class ErpSettings(ProjectedSamplerSettings):
    """Patches uniform on the equirectangular plane (arXiv 2412.12667)."""

    method: Literal["erp"] = Field("erp", description="Name of the sampler; default: the entry's name.")

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_erp`."""
        from iqadistill.sampling.equirectangular import sample_erp

        return sample_erp(
            images, count=self.count, size=self.size, seed=seed, fov=self.fov_radians, projection=self.projection
        )
