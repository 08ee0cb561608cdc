"""One run of a training: steps, epochs, validation and checkpoints."""

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from iqadistill.console import progress
from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings
from iqadistill.patches.store import PatchStore
from iqadistill.training.deep.batches import training_batches, uploaded
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.epoch_plan import EpochPlanner
from iqadistill.training.deep.epoch_reader import EpochReader
from iqadistill.training.deep.optimisation import NetworkOptimiser
from iqadistill.training.deep.prediction import score_store
from iqadistill.training.rank_correlation import rank_correlation


@dataclass(frozen=True)
class SplitPatches:
    """Training and validation patches of one split.

    Attributes:
        store: Patches of the training images, then those of the validation images.
        reader: Reader of the training patches.
        quality: Qualities (I,), float64, of all these images.
        trained: Number of training images.
    """

    store: PatchStore
    reader: EpochReader
    quality: np.ndarray
    trained: int


@dataclass
class Progress:
    """The counters of a checkpoint.

    Attributes:
        step: Number of completed steps.
        seconds: Duration of the current epoch so far.
        sums: Losses summed over the patches of the current epoch.
        history: A row for each completed epoch.
        best: Highest SRCC on the validation images.
        waited: Number of epochs since then.
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

    optimiser: NetworkOptimiser
    settings: TrainingSettings
    data: SplitPatches
    planner: EpochPlanner
    accelerator: Accelerator
    checkpoints: Checkpoints | None = None
    done: Progress = field(default_factory=Progress)
    best: dict[str, Tensor] = field(default_factory=dict)

    def run(self) -> list[dict[str, Any]]:
        """Train; the trained weights are then in the optimiser's network, in eval mode.

        Returns:
            A row for each epoch.

        Raises:
            InputError: The loss is not finite, or an image cannot be read.
        """
        self._resume()
        if self.done.step < self.settings.epochs * self._epoch_steps and not self.done.stopped:
            self._train()
        self.optimiser.network.load_state_dict(self.best or self.optimiser.result.state_dict())
        self.optimiser.network.eval()
        return self.done.history

    def _train(self) -> None:
        done, steps = self.done, self._epoch_steps
        rank, processes = self._share.start, self._share.step
        quality = torch.tensor(self.data.quality[self.data.store.image], dtype=torch.float32)
        sums: dict[str, Any] = dict(done.sums)
        started = time.perf_counter() - done.seconds
        self.optimiser.train()
        for patches, rows, flips in progress(
            self._batches(), "train (steps)", self.settings.epochs * steps - done.step
        ):
            rate = self.settings.rate(done.step, steps)
            parts = self.optimiser.step(
                patches,
                quality[rows[self._share]],
                flips,
                seed=self.planner.noise_seed(done.step) + rank,
                rate=rate,
                weight=len(patches) * processes / len(rows),
            )
            for name, part in parts.items():
                sums[name] = sums.get(name, 0.0) + part * len(rows)
            done.step += 1
            ended = done.step % steps == 0
            if ended:
                self._end_epoch(sums, rate, started)
                sums, started = {}, time.perf_counter()
            if self.checkpoints and (ended or self.checkpoints.due):
                done.sums = {name: float(value) for name, value in sums.items()}
                done.seconds = time.perf_counter() - started
                self._save(self.checkpoints)
            if done.stopped:
                break

    @property
    def _epoch_steps(self) -> int:
        return len(self.planner.bounds) - 1

    @property
    def _share(self) -> slice:
        """The patches of a batch that are this process's."""
        return slice(self.accelerator.process_index, None, self.accelerator.num_processes)

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Patches and flips of this process's share of each batch, and the rows of the whole batch."""
        whole = training_batches(self.data.reader, self.planner, self.done.step)
        batches = ((patches[self._share], rows, flips[self._share]) for patches, rows, flips in whole)
        if self.accelerator.device.type != "cuda":
            return batches
        return uploaded(batches, self.accelerator.device)

    def _end_epoch(self, sums: dict[str, Tensor], rate: float, started: float) -> None:
        done, epoch = self.done, len(self.done.history)
        totals = self.accelerator.reduce(torch.stack(list(sums.values())), "mean") / self.planner.patches
        parts = dict(zip(sums, totals.tolist(), strict=True))
        if not np.isfinite(sum(parts.values())):
            raise InputError(
                f"train: the loss of epoch {epoch} is not finite; use a lower lr, clip, or precision bf16 or no."
            )
        srcc = self._validate()
        if self.settings.patience:
            self._keep_best(srcc, self.settings.patience)
        row = {"epoch": epoch, "step": done.step, "loss": sum(parts.values()), "parts": parts}
        row |= {"lr": self.settings.lr * rate, "val_srcc": srcc, "num_patches": self.planner.patches}
        row |= {"seconds": time.perf_counter() - started, "peak_memory": self._peak_memory()}
        done.history.append(row)
        _log(f"epoch {epoch}: loss {row['loss']:.4f}, SRCC on validation images {srcc:.4f}, {row['seconds']:.1f} s")

    def _validate(self) -> float:
        """SRCC on the validation images; NaN without any, or if all scores are equal."""
        data, first = self.data, int(self.data.store.counts[: self.data.trained].sum())
        if first == len(data.store.image):
            return float("nan")
        device, precision = self.accelerator.device, self.settings.precision
        scores = score_store(
            self.optimiser.result,
            data.store,
            device=device,
            precision=precision,
            batch_size=self.settings.batch_size,
            first=first,
        )
        self.optimiser.train()
        means = np.bincount(data.store.image[first:], scores)[data.trained :] / data.store.counts[data.trained :]
        return float(rank_correlation(means[None], data.quality[data.trained :])[0])

    def _keep_best(self, srcc: float, patience: int) -> None:
        if srcc > self.done.best or not self.best:
            self.best = {name: tensor.clone() for name, tensor in self.optimiser.result.state_dict().items()}
            self.done.best, self.done.waited = max(self.done.best, srcc), 0
            return
        self.done.waited += 1
        if self.done.waited >= patience:
            self.done.stopped = True
            _log(f"no better SRCC on validation images in {self.done.waited} epochs: training stops")

    def _peak_memory(self) -> float:
        if self.accelerator.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.accelerator.device) / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # Linux counts it in KiB

    def _save(self, checkpoints: Checkpoints) -> None:
        if self.accelerator.is_main_process:
            tensors = self.optimiser.tensors() | {f"best.{name}": tensor for name, tensor in self.best.items()}
            counters = {
                "pieces": self.optimiser.pieces,
                "scaler": self.optimiser.scaler(),
                "progress": asdict(self.done),
            }
            checkpoints.save(tensors, counters)

    def _resume(self) -> None:
        if not self.checkpoints:
            return
        checkpoint = self.checkpoints.load()
        if checkpoint is None:
            _log(f"checkpoints are written to {self.checkpoints.folder}; training starts from the beginning")
            return
        tensors, counters = checkpoint
        self.optimiser.restore(tensors, counters["pieces"], counters["scaler"])
        self.best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
        self.done = Progress(**counters["progress"])
        epoch, step = divmod(self.done.step, self._epoch_steps)
        _log(f"resumed from {self.checkpoints.folder} after {epoch} epochs and {step} steps")


def _log(line: str) -> None:
    print(f"train: {line}", file=sys.stderr, flush=True)
