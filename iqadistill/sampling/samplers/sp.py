"""SP sampling: viewports along scanpaths."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.paths import UserPath
from iqadistill.sampling.settings import ProjectedSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class SpSettings(ProjectedSamplerSettings):
    """Patches where people look, along scanpaths (arXiv 2412.12667)."""

    method: Literal["sp"] = Field("sp", description="Name of the sampler; default: the entry's name.")
    scanpaths: UserPath | None = Field(
        None,
        description="CSV of recorded scanpaths with the columns image, viewer, order, yaw, pitch (radians); default: "
        "scanpaths of virtual viewers.",
    )

    viewers: int = Field(15, ge=1, description="Virtual viewers of an image.")
    fixations: int = Field(
        30, ge=1, description="Largest number of fixations of a virtual viewer; each makes at least half of them."
    )

    def files(self) -> tuple[str, ...]:
        """The CSV of recorded scanpaths, if there is one."""
        return () if self.scanpaths is None else (self.scanpaths,)

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_scanpath`."""
        from iqadistill.sampling.scanpath import sample_scanpath

        return sample_scanpath(
            images,
            count=self.count,
            size=self.size,
            seed=seed,
            fov=self.fov_radians,
            projection=self.projection,
            scanpaths=self.scanpaths,
            viewers=self.viewers,
            fixations=self.fixations,
        )
