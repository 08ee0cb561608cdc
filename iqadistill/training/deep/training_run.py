"""The course of one training: steps, epochs, validation, checkpoints."""

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from scipy.stats import rankdata
from torch import Tensor

from iqadistill.console import progress
from iqadistill.errors import InputError
from iqadistill.parallel import map_ahead
from iqadistill.patches.store import PatchStore
from iqadistill.training.deep.batches import training_batches
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.epoch_plan import Dealer
from iqadistill.training.deep.optimisation import Stepper
from iqadistill.training.deep.prediction import score_store
from iqadistill.training.deep.settings import NetworkRecipe


@dataclass(frozen=True)
class SplitPatches:
    """What one split trains and validates on.

    Attributes:
        store: Patches of the training images, then those of the validation images.
        quality: (I,), float64, of all these images.
        trained: How many of them are training images.
    """

    store: PatchStore
    quality: np.ndarray
    trained: int


@dataclass
class Progress:
    """The counters of a checkpoint.

    Attributes:
        step: Steps done.
        seconds: Time the current epoch has taken.
        sums: Losses summed over its patches.
        history: A row for each epoch done.
        best: Highest SRCC on the validation images.
        waited: Epochs since then.
        stopped: Whether patience has run out.
    """

    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float = float("-inf")
    waited: int = 0
    stopped: bool = False


@dataclass
class TrainingRun:
    """One training, from its last checkpoint to its end."""

    stepper: Stepper
    recipe: NetworkRecipe
    data: SplitPatches
    dealer: Dealer
    accelerator: Accelerator
    checkpoints: Checkpoints | None = None
    done: Progress = field(default_factory=Progress)
    best: dict[str, Tensor] = field(default_factory=dict)

    def run(self) -> list[dict[str, Any]]:
        """Train; leaves the result in the stepper's network, in eval mode, and returns a row for each epoch.

        Raises:
            InputError: The loss is not finite, or a picture cannot be read.
        """
        self._resume()
        if self.done.step < self.recipe.epochs * self._epoch_steps and not self.done.stopped:
            self._train()
        self.stepper.network.load_state_dict(self.best or self.stepper.result.state_dict())
        self.stepper.network.eval()
        return self.done.history

    def _train(self) -> None:
        done, steps = self.done, self._epoch_steps
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        quality = torch.tensor(self.data.quality[self.data.store.image], dtype=torch.float32)
        sums: dict[str, Any] = dict(done.sums)
        started = time.perf_counter() - done.seconds
        self.stepper.train()
        for patches, rows, flips in progress(self._batches(), "train (steps)", self.recipe.epochs * steps - done.step):
            rate = self.recipe.rate(done.step, steps)
            own = slice(rank, None, processes)
            parts = self.stepper.step(
                patches[own],
                quality[rows][own],
                flips[own],
                seed=self.dealer.noise_seed(done.step) + rank,
                rate=rate,
                weight=len(patches[own]) * processes / len(patches),
            )
            for name, part in parts.items():
                sums[name] = sums.get(name, 0.0) + part * len(patches)
            done.step += 1
            ended = done.step % steps == 0
            if ended:
                self._end_epoch(sums, rate, started)
                sums, started = {}, time.perf_counter()
            if self.checkpoints and (ended or self.checkpoints.due):
                done.sums = {name: float(value) for name, value in sums.items()}
                done.seconds = time.perf_counter() - started
                self._save()
            if done.stopped:
                break

    @property
    def _epoch_steps(self) -> int:
        return len(self.dealer.bounds) - 1

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        batches = training_batches(self.data.store, self.dealer, self.done.step)
        if self.accelerator.device.type != "cuda":
            return batches
        return map_ahead(lambda batch: tuple(tensor.pin_memory() for tensor in batch), batches, workers=2)

    def _end_epoch(self, sums: dict[str, Tensor], rate: float, started: float) -> None:
        done, epoch = self.done, len(self.done.history)
        totals = self.accelerator.reduce(torch.stack(list(sums.values())), "mean") / self.dealer.patches
        parts = dict(zip(sums, totals.tolist(), strict=True))
        if not np.isfinite(sum(parts.values())):
            raise InputError(
                f"train: the loss of epoch {epoch} is not finite; use a lower lr, clip, or precision bf16 or no."
            )
        srcc = self._validate()
        if self.recipe.patience:
            self._look_back(srcc)
        row = {"epoch": epoch, "step": done.step, "loss": sum(parts.values()), "parts": parts}
        row |= {"lr": self.recipe.lr * rate, "val_srcc": srcc, "num_patches": self.dealer.patches}
        row |= {"seconds": time.perf_counter() - started, "peak_memory": self._peak_memory()}
        done.history.append(row)
        _log(f"epoch {epoch}: loss {row['loss']:.4f}, SRCC on validation images {srcc:.4f}, {row['seconds']:.1f} s")

    def _validate(self) -> float:
        """SRCC on the validation images; NaN without any, or where all have one score."""
        data, first = self.data, int(self.data.store.counts[: self.data.trained].sum())
        if first == len(data.store.image):
            return float("nan")
        device, precision = self.accelerator.device, self.recipe.precision
        scores = score_store(
            self.stepper.result,
            data.store,
            device=device,
            precision=precision,
            batch_size=self.recipe.batch_size,
            first=first,
        )
        self.stepper.train()
        means = np.bincount(data.store.image[first:], scores)[data.trained :] / data.store.counts[data.trained :]
        ranks, target = rankdata(means), rankdata(data.quality[data.trained :])
        if np.ptp(ranks) == 0 or np.ptp(target) == 0:
            return float("nan")
        return float(np.corrcoef(ranks, target)[0, 1])

    def _look_back(self, srcc: float) -> None:
        if srcc > self.done.best or not self.best:
            self.best = {name: tensor.clone() for name, tensor in self.stepper.result.state_dict().items()}
            self.done.best, self.done.waited = max(self.done.best, srcc), 0
            return
        self.done.waited += 1
        if self.done.waited >= self.recipe.patience:
            self.done.stopped = True
            _log(f"no better SRCC on validation images in {self.done.waited} epochs: training ends")

    def _peak_memory(self) -> float:
        if self.accelerator.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.accelerator.device) / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # which Linux counts in KiB

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            tensors = self.stepper.tensors() | {f"best.{name}": tensor for name, tensor in self.best.items()}
            counters = {"pieces": self.stepper.pieces, "scaler": self.stepper.scaler(), "progress": asdict(self.done)}
            self.checkpoints.save(tensors, counters)

    def _resume(self) -> None:
        found = self.checkpoints.load() if self.checkpoints else None
        if not found:
            if self.checkpoints:
                _log(f"checkpoints go to {self.checkpoints.folder}; training starts anew")
            return
        tensors, counters = found
        self.stepper.restore(tensors, counters["pieces"], counters["scaler"])
        self.best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
        self.done = Progress(**counters["progress"])
        epoch, step = divmod(self.done.step, self._epoch_steps)
        _log(f"resumed from {self.checkpoints.folder} after {epoch} epochs and {step} steps")


def _log(line: str) -> None:
    print(f"train: {line}", file=sys.stderr, flush=True)
