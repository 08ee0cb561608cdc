"""Trained results: the models, and what is needed to interpret their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iqadistill.encoders.registry import ENCODERS
from iqadistill.errors import InputError
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.sampling.settings import SamplerSettings
from iqadistill.scoring.result_files import find_weights, read_sidecars
from iqadistill.scoring.scorers import MlpScorer, NetworkScorer, PatchScorer
from iqadistill.tables import ALL
from iqadistill.training.deep.weights import rebuild_network
from iqadistill.training.mlp.trained_mlps import TrainedMlps, load_mlps
from iqadistill.training.sidecar import ScoreScale, Sidecar


@dataclass(frozen=True)
class TrainedResult:
    """One student of one dataset, trained on some splits.

    Attributes:
        variant: Variant columns without split.
        splits: Numbers of the splits, in the order of the scorer's models.
        sampler: The sampler.
        seed: Seed of the study.
        scale: Scale of the scores that were learned.
        scorer: The models.
    """

    variant: Mapping[str, Any]
    splits: Sequence[int]
    sampler: SamplerSettings
    seed: int
    scale: ScoreScale
    scorer: PatchScorer

    @property
    def kind(self) -> str:
        """Images that it scores: "flat" images, or panoramas ("sphere")."""
        return self.sampler.kind

    @property
    def simulated(self) -> bool:
        """Whether the scores that it learned were simulated instead of given by people."""
        return self.scale.source.startswith("simulated")

    def on_scale(self, quality: float) -> float:
        """Quality in [0, 1] as a score of the training dataset."""
        return self.scale.worst + quality * (self.scale.best - self.scale.worst)


def load_result(
    path: str | Path, *, selector: str | None = None, keep: float | None = None, device: str = "cpu"
) -> TrainedResult:
    """Load a trained student.

    Args:
        path: A .safetensors file with its sidecar, or the folder with the splits of a deep student, which are averaged.
        selector: Selector of the MLPs to score with; default: all patches.
        keep: Keep rate of the MLPs to score with; default: the only one of the selector.
        device: "cpu", "cuda" or "cuda:N".

    Raises:
        InputError: Files are missing or do not belong together, or no model is of this selector and keep rate.
    """
    weights = find_weights(Path(path))
    sidecars = read_sidecars(weights)
    if sidecars[0].kind == "mlps":
        return _load_mlps(weights[0], sidecars[0], selector, keep, device)
    if selector is not None or keep is not None:
        raise InputError(
            f"{path}: a deep student's folder determines selector and keep rate; leave --selector and --keep out."
        )
    return _load_networks(weights, sidecars, device)


def _load_networks(weights: Sequence[Path], sidecars: Sequence[Sidecar], device: str) -> TrainedResult:
    first = sidecars[0]
    networks = [rebuild_network(sidecar, file).to(device) for sidecar, file in zip(sidecars, weights, strict=True)]
    scorer = NetworkScorer(networks, first.size, first.settings["precision"], device)
    return _result(first, first.variant, [int(sidecar.variant["split"]) for sidecar in sidecars], scorer)


def _load_mlps(weights: Path, sidecar: Sidecar, selector: str | None, keep: float | None, device: str) -> TrainedResult:
    mlps = load_mlps(weights, device)
    selector, keep = _chosen(weights, mlps, selector, keep)
    indices = [i for i, variant in enumerate(mlps.variants) if (variant.selector, variant.keep) == (selector, keep)]
    encoder = ENCODERS.create(sidecar.encoder or {}).create(device)
    splits = [mlps.variants[index].split for index in indices]
    variant = {**sidecar.variant, "selector": selector, "keep": keep}
    return _result(sidecar, variant, splits, MlpScorer(encoder, mlps.stack[indices]))


def _chosen(weights: Path, mlps: TrainedMlps, selector: str | None, keep: float | None) -> tuple[str, float]:
    """The selector and keep rate that the user means."""
    wanted = selector or ALL
    trained = sorted({(variant.selector, variant.keep) for variant in mlps.variants})
    fitting = [pair for pair in trained if pair[0] == wanted and keep in (None, pair[1])]
    if len(fitting) != 1:
        names = [wanted] if wanted in dict(trained) else list(dict(trained))
        offered = [f"{name} at {', '.join(f'{rate:g}' for other, rate in trained if other == name)}" for name in names]
        asked = wanted if keep is None else f"{wanted} at keep {keep:g}"
        raise InputError(
            f"{weights}: holds {'several' if fitting else 'no'} models of {asked}; choose a selector and keep rate of "
            f"{'; '.join(offered)}."
        )
    return fitting[0]


def _result(sidecar: Sidecar, variant: Mapping[str, Any], splits: Sequence[int], scorer: PatchScorer) -> TrainedResult:
    assert sidecar.scale is not None  # `read_sidecars` refuses others
    variant = {key: value for key, value in variant.items() if key != "split"}
    return TrainedResult(variant, splits, SAMPLERS.create(sidecar.sampler), sidecar.seed, sidecar.scale, scorer)
