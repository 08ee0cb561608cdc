"""Settings that all selectors share, and the options of the similarity between patches."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from pydantic import Field

from iqadistill.errors import InputError
from iqadistill.settings import Settings

if TYPE_CHECKING:
    from iqadistill.selection.base import Selector

Metric = Literal["euclidean", "manhattan", "mahalanobis"]
Gamma = Literal["published", "scale_free"]
Similarity = Literal["rbf", "negative_distance"]


class SelectorSettings(Settings):
    """Settings of one selector: how the patches of an image are ranked.

    A new selector is one file in `iqadistill/selection/selectors/`: a subclass whose `method` is the name of the file,
    and the class that its `create` returns. A file that needs PyTorch imports it inside its functions only,
    as the import takes seconds.

    Attributes:
        label: Name in figures.
        colour: Colour in figures, as "#rrggbb".
        marker: Marker in figures, one of matplotlib's.
        order: Position in legends; the lowest comes first.
        needs_patches: Whether patches are ranked by their rows in the patch table, too.
        stands_for_nearest: Whether the first patches stand for those nearest to them, which then are their weights
            where an image is scored from few patches.
    """

    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str]
    order: ClassVar[int]
    needs_patches: ClassVar[bool] = False
    stands_for_nearest: ClassVar[bool] = False

    method: str = Field(description="Name of the selector; default: the entry's name.")

    @property
    def least_patches(self) -> int:
        """Smallest number of patches of an image that can be ranked."""
        return 1

    @abstractmethod
    def create(self) -> "Selector":
        """The selector with these settings."""


def check_options(metric: str = "euclidean", gamma: str = "published", similarity: str = "rbf") -> None:
    """Refuse unknown options of the similarity.

    Raises:
        InputError: An option is unknown; the message lists the known ones.
    """
    for key, value, known in (
        ("metric", metric, get_args(Metric)),
        ("gamma", gamma, get_args(Gamma)),
        ("similarity", similarity, get_args(Similarity)),
    ):
        if value not in known:
            raise InputError(f"{key}: {value!r} is unknown; give one of {', '.join(known)}.")
