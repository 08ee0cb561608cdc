"""A trained result: its models, and all that its scores need to be understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iqadistill.encoders.encoder import create_encoder
from iqadistill.errors import InputError
from iqadistill.sampling.registry import SAMPLER_KINDS
from iqadistill.scoring.scorers import NetworkScorer, PatchScorer, SweepScorer
from iqadistill.scoring.sidecars import Facts, check_one_result, find_weights, read_sidecar
from iqadistill.training.deep.weights import rebuild_network
from iqadistill.training.mlp.patch_bank import ALL_PATCHES
from iqadistill.training.mlp.stack import Stack
from iqadistill.training.mlp.sweep import Sweep, load_sweep


@dataclass(frozen=True)
class TrainedResult:
    """One student of one dataset, trained on some splits.

    Attributes:
        variant: Variant columns without split.
        splits: Numbers of the splits, in the order of the scorer's models.
        sampler: Settings of the sampler, angles in degrees.
        seed: Of the study.
        scale: See `iqadistill.training.score_scale.score_scale`.
        scorer: Its models.
    """

    variant: Mapping[str, Any]
    splits: Sequence[int]
    sampler: Mapping[str, Any]
    seed: int
    scale: Mapping[str, Any]
    scorer: PatchScorer

    @property
    def kind(self) -> str:
        """What it scores: "flat" pictures or, "sphere", panoramas."""
        return SAMPLER_KINDS[self.sampler["method"]]

    @property
    def simulated(self) -> bool:
        """Whether the scores it learned were drawn, not given by people."""
        return self.scale["source"].startswith("simulated")

    def on_scale(self, quality: float) -> float:
        """Quality in [0, 1] as a score of the training dataset."""
        return self.scale["worst"] + quality * (self.scale["best"] - self.scale["worst"])


def load_result(
    path: str | Path, *, selector: str | None = None, keep: float | None = None, device: str = "cpu"
) -> TrainedResult:
    """Load what a training stage wrote.

    Args:
        path: A .safetensors of results/train_network or results/train_student, or a folder that holds all splits of a student.
        selector: Which models of a sweep; default: those trained on all patches. A deep student's path says it already.
        keep: Their keep rate; default: 1 for all patches, else the only one there is.
        device: Where it computes.

    Raises:
        InputError: There is no such result, it is not whole, or it has no such models.
    """
    weights = find_weights(Path(path))
    facts = [read_sidecar(file) for file in weights]
    check_one_result(weights, facts)
    if "network" not in facts[0]:
        return _load_sweep(weights[0], facts[0], selector, keep, device)
    if selector is not None or keep is not None:
        raise InputError(
            f"{path}: a deep student's folder says selector and keep rate; leave --selector and --keep out."
        )
    return _load_networks(weights, facts, device)


def _load_networks(weights: Sequence[Path], facts: Sequence[Facts], device: str) -> TrainedResult:
    settings = facts[0]["network"]
    networks = [rebuild_network(settings, file).to(device) for file in weights]
    scorer = NetworkScorer(networks, settings["size"], facts[0]["recipe"]["precision"], device)
    splits = [own["variant"]["split"] for own in facts]
    return _result(facts[0], facts[0]["variant"], splits, scorer)


def _load_sweep(weights: Path, facts: Facts, selector: str | None, keep: float | None, device: str) -> TrainedResult:
    sweep = load_sweep(weights, device)
    selector, keep = _chosen(weights, sweep, selector, keep)
    indices = [i for i, variant in enumerate(sweep.variants) if (variant.selector, variant.keep) == (selector, keep)]
    stack = Stack(*([tensor[indices] for tensor in layers] for layers in (sweep.stack.weights, sweep.stack.biases)))
    settings = {key: value for key, value in facts["encoder"].items() if key != "dtype"}
    encoder = create_encoder(**settings, device=device)
    splits = [sweep.variants[index].split for index in indices]
    variant = {**facts["variant"], "selector": selector, "keep": keep}
    return _result(facts, variant, splits, SweepScorer(encoder, stack))


def _chosen(weights: Path, sweep: Sweep, selector: str | None, keep: float | None) -> tuple[str, float]:
    """Selector and keep rate the user means, as the sweep has them."""
    wanted = selector or ALL_PATCHES
    there = sorted({(variant.selector, variant.keep) for variant in sweep.variants})
    fitting = [pair for pair in there if pair[0] == wanted and keep in (None, pair[1])]
    if len(fitting) != 1:
        names = [wanted] if wanted in dict(there) else list(dict(there))
        offered = [f"{name} at {', '.join(f'{rate:g}' for own, rate in there if own == name)}" for name in names]
        asked = wanted if keep is None else f"{wanted} at keep {keep:g}"
        raise InputError(
            f"{weights}: holds {'several' if fitting else 'no'} models of {asked}; choose a selector and keep rate of "
            f"{'; '.join(offered)}."
        )
    return fitting[0]


def _result(facts: Facts, variant: Facts, splits: Sequence[int], scorer: PatchScorer) -> TrainedResult:
    variant = {key: value for key, value in variant.items() if key != "split"}
    return TrainedResult(variant, splits, facts["sampler"], facts["seed"], facts["scale"], scorer)
