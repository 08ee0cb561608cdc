"""Time of a training step of ADTRS, compared with the authors' release or with a plain step of four backbone passes.

    python benchmarks/benchmark_adtrs.py --release FOLDER --backbone resnet50 --device cpu

FOLDER holds the release, github.com/MAS94/ADTRS. Its training loop runs, unchanged, on the same batches and from the
same weights as ours; only its top left pooling is replaced by the mean over the full map, so that both compute the same
function. First the losses of one step without dropout are printed, which must agree; then runs of both are timed in
turn, with dropout.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
import torchvision
from torch import Tensor, nn

from iqadistill.models.adtrs.student import ADTRS
from iqadistill.models.creation import create_model

LR, WEIGHT_DECAY = 2e-5, 5e-4  # as in the release
MODES = {
    "float32": (torch.contiguous_format, torch.float32),
    "float32, channels last": (torch.channels_last, torch.float32),
    "bfloat16, channels last": (torch.channels_last, torch.bfloat16),
}


class Release:
    """The release's network and training loop.

    Args:
        folder: Folder of the release.
        backbone: Name of a network of torchvision.
        device: Device of the training.
    """

    def __init__(self, folder: Path, backbone: str, device: str):
        sys.path.insert(0, str(folder.resolve()))
        import models as release

        constructor = getattr(torchvision.models, backbone)
        settings = SimpleNamespace(network=backbone, nheadt=16, num_encoder_layerst=4, dim_feedforwardt=64)
        random_weights = mock.patch.object(torchvision.models, backbone, lambda pretrained: constructor())
        with random_weights, contextlib.chdir(tempfile.gettempdir()):  # it writes a file
            self.net = release.Net(settings, device)
        self.net.avg7 = nn.AdaptiveAvgPool2d(1)
        self.net.to(device)
        self._class, self._device = release.ADTRS, device

    @property
    def dropout(self) -> float:
        """Dropout rate on the pooled stages."""
        return self.net.drop2d.p

    @dropout.setter
    def dropout(self, rate: float) -> None:
        self.net.drop2d.p = rate

    def train(self, batches: Iterator[tuple[Tensor, Tensor]]) -> list[float]:
        """Losses of one epoch of the release's training over the batches."""
        solver = self._class.__new__(self._class)
        solver.net, solver.device, solver.epochs, solver.train_data = self.net, self._device, 1, batches
        solver.l1_loss, solver.lr, solver.droplr, solver.paras = nn.L1Loss(), LR, 5, [{"lr": LR}]
        solver.solver = torch.optim.Adam(self.net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
        solver.config, solver.test_data = SimpleNamespace(vesion=0), None
        solver.test = lambda *_: (0.0, 0.0)
        losses, backward = [], Tensor.backward

        def record(loss: Tensor) -> None:
            losses.append(loss.item())
            backward(loss)

        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1], mock.patch.object(Tensor, "backward", record):
            solver.train(0, folder)
        return losses

    def copy_to(self, model: ADTRS) -> None:
        """Copy the release's weights into our model."""
        state = self.net.model.state_dict()
        model.backbone.network.load_state_dict({key: state[key] for key in model.backbone.network.state_dict()})
        theirs, ours = self.net.transformer, model.attention[0]
        pairs = {ours.q.local: theirs.q.local[0], ours.q.proj.conv: theirs.q.proj[0], ours.q.proj.bn: theirs.q.proj[1]}
        for name in ("k", "v", "v_local"):
            convolution, norm = getattr(theirs, name)
            pairs |= {getattr(ours, name).conv: convolution, getattr(ours, name).bn: norm}
        pairs |= {ours.proj.conv: theirs.proj[1], ours.proj.bn: theirs.proj[2]}
        pairs |= {model.attention_head: self.net.fc2, model.head: self.net.fc}
        for module, released in pairs.items():
            module.load_state_dict(released.state_dict())
        with torch.no_grad():  # one bias per offset in both, listed in another order
            ours.attention_biases[:, ours.attention_bias_idxs.flatten()] = theirs.attention_biases[
                :, theirs.attention_bias_idxs.flatten()
            ]


def four_passes(model: ADTRS, patches: Tensor, quality: Tensor) -> Tensor:
    """The same loss in its plain form: each view and each target passes through the full network."""
    total, ranking = 0, []
    for flipped in (False, True):
        view, other = (patches.flip(-1) if turned else patches for turned in (flipped, not flipped))
        maps = model._maps(model._stages(view), model.dropout)
        target = model._maps(model._stages(other), 0.0)
        score = model._score(maps)
        consistency = model.consistency_loss(list(maps.values()), list(target.values()))
        total = total + model.quality_loss(score, quality) + consistency
        ranking.append(model.ranking_loss(score, quality))
    return total + 0.5 * model.ranking_consistency_loss(*ranking) + 0.05 * sum(ranking)


def two_passes(model: ADTRS, patches: Tensor, quality: Tensor) -> Tensor:
    """The loss as the package computes it."""
    return sum(model.losses(patches, quality).values())


def train(model: ADTRS, loss: Callable, batches: Iterator[tuple[Tensor, Tensor]], layout, precision) -> list[float]:
    """Losses of a plain training loop over the batches."""
    optimiser = torch.optim.Adam(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    losses = []
    for patches, quality in batches:
        optimiser.zero_grad()
        with torch.autocast(patches.device.type, precision, enabled=precision != torch.float32):
            total = loss(model, patches.contiguous(memory_format=layout), quality)
        total.backward()
        optimiser.step()
        losses.append(total.item())
    return losses


class Stopwatch:
    """Batches that record the time at which each is requested."""

    batch: tuple[Tensor, Tensor]

    def __init__(self, steps: int):
        self.steps, self.times = steps, []

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            self._record()
            yield self.batch
        self._record()

    def __len__(self) -> int:
        return self.steps

    def _record(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def seconds(self) -> float:
        """Median time of a step, without the first where there are more."""
        steps = [end - begin for begin, end in zip(self.times, self.times[1:], strict=False)]
        return statistics.median(steps[1:] or steps)


def main() -> None:
    """Print losses, seconds per step and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--release", type=Path, help="folder of the authors' release; default: compare four passes with two"
    )
    parser.add_argument("--backbone", default="resnet50", choices=["resnet18", "resnet34", "resnet50"])
    parser.add_argument("--device", default="cpu")
    for name, default in {"batch": 8, "steps": 4, "repeats": 3, "threads": torch.get_num_threads()}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    release = Release(options.release, options.backbone, options.device) if options.release else None
    name = "the release" if release else "four passes"
    model = create_model("adtrs", backbone=options.backbone).to(options.device)
    patches = torch.rand(options.batch, 3, 224, 224, device=options.device)
    quality = torch.rand(options.batch, device=options.device)

    def ours(watch: Stopwatch, loss: Callable = two_passes, mode: str = "float32") -> list[float]:
        watch.batch = patches, quality
        layout, precision = MODES[mode]
        return train(model.to(memory_format=layout), loss, watch, layout, precision)

    def other(watch: Stopwatch) -> list[float]:
        if not release:
            return ours(watch, four_passes)
        watch.batch = (patches - model.backbone.mean) / model.backbone.std, quality
        return release.train(watch)

    if release:
        release.copy_to(model)
    rate = model.dropout
    compared = [model, *([release] if release else [])]
    for network in compared:
        network.dropout = 0.0
    first = {name: parameter.clone() for name, parameter in model.state_dict().items()}
    our_loss = ours(Stopwatch(1))[0]
    model.load_state_dict(first)
    print(f"loss of the same step without dropout: ours {our_loss:.6f}, {name} {other(Stopwatch(1))[0]:.6f}")
    for network in compared:
        network.dropout = rate
    ratios = {mode: [] for mode in MODES}
    for repeat in range(options.repeats):
        other(before := Stopwatch(options.steps))
        for mode in MODES:
            ours(after := Stopwatch(options.steps), mode=mode)
            ratios[mode].append(before.seconds() / after.seconds())
            print(
                f"repeat {repeat}, {mode}: {name} {before.seconds():.3f} s per step, ours {after.seconds():.3f} s, "
                f"{ratios[mode][-1]:.2f}x",
                flush=True,
            )
    for mode, measured in ratios.items():
        print(f"{mode}: a step of ours is {statistics.median(measured):.2f}x as fast as {name} in float32 (median)")


if __name__ == "__main__":
    main()
