"""Scenes of the galleries: photographs that scikit-image, scikit-learn and matplotlib ship.

A scene is one photograph. Nothing is downloaded: scenes are files in installed packages, and no file appears in two
scenes, so that a split by scene leaks no content.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from iqadistill.errors import InputError

_FOLDERS = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}


@dataclass(frozen=True)
class Scene:
    """A photograph in an installed package.

    Attributes:
        name: Unique name.
        package: Package that ships it.
        file: File name in the package's image folder.
        grey: Whether the photograph has one channel.
    """

    name: str
    package: str
    file: str
    grey: bool = False

    @property
    def path(self) -> Path:
        """Path of the file in the installed package.

        Raises:
            InputError: The package, or the file in it, is missing.
        """
        package = importlib.util.find_spec(self.package)
        if package is None or not package.submodule_search_locations:
            raise InputError(
                f"scene {self.name}: package {self.package} is not installed; install it to render galleries."
            )
        path = Path(package.submodule_search_locations[0]) / _FOLDERS[self.package] / self.file
        if not path.is_file():
            raise InputError(
                f"scene {self.name}: {self.package} ships no {self.file} in this version; install the pinned version."
            )
        return path


# Of the stereo pair motorcycle_left/right, which shows one scene, only the left image is used. Documents, drawings,
# micrographs of cells and the motion-blurred clock among the grey files are not pristine photographs and are left out.
_SCENES = (
    Scene("astronaut", "skimage", "astronaut.png"),
    Scene("chelsea", "skimage", "chelsea.png"),
    Scene("coffee", "skimage", "coffee.png"),
    Scene("hubble", "skimage", "hubble_deep_field.jpg"),
    Scene("ihc", "skimage", "ihc.png"),
    Scene("motorcycle", "skimage", "motorcycle_left.png"),
    Scene("retina", "skimage", "retina.jpg"),
    Scene("rocket", "skimage", "rocket.jpg"),
    Scene("china", "sklearn", "china.jpg"),
    Scene("flower", "sklearn", "flower.jpg"),
    Scene("grace_hopper", "matplotlib", "grace_hopper.jpg"),
    Scene("brick", "skimage", "brick.png", grey=True),
    Scene("camera", "skimage", "camera.png", grey=True),
    Scene("coins", "skimage", "coins.png", grey=True),
    Scene("grass", "skimage", "grass.png", grey=True),
    Scene("gravel", "skimage", "gravel.png", grey=True),
    Scene("moon", "skimage", "moon.png", grey=True),
)


def gallery_scenes(*, grey: bool = False) -> tuple[Scene, ...]:
    """The scenes of the galleries.

    Args:
        grey: Whether to include the grey photographs (gallery2d has them, gallery360 is colour only).
    """
    return tuple(scene for scene in _SCENES if grey or not scene.grey)
