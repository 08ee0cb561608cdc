"""Sphere sampling: uniform on the sphere."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import SphereSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class SphereSettings(SphereSamplerSettings):
    """Viewports spread evenly over the sphere, on a randomly rotated Fibonacci lattice."""

    method: Literal["sphere"] = Field("sphere", description="Name of the sampler; default: the entry's name.")

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_sphere`."""
        from iqadistill.sampling.fibonacci import sample_sphere

        return sample_sphere(images, count=self.count, size=self.size, seed=seed, fov=self.fov_radians)
