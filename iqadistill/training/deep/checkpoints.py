"""What a killed training continues from.

A checkpoint is one safetensors file: tensors, and the counters as JSON in its header. One file cannot disagree with itself; it is
written beside its name, flushed and renamed, and the one before it is kept until then.
"""

import contextlib
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from iqadistill.provenance import file_digest
from iqadistill.tables import write_atomically

_NEWEST, _BEFORE = "newest.safetensors", "before.safetensors"


def digest_of(*facts: Any) -> str:
    """16 hexadecimal digits of facts that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def resumable(
    folder: str | Path, output: str, params: Any, inputs: Iterable[str | Path], *, seconds: float = 120.0
) -> Iterator["Checkpoints"]:
    """Checkpoints of one job: found again by a job of the same output, parameters and inputs, deleted when the job succeeds.

    Args:
        folder: Where the checkpoints of the stage lie; every digest has a folder of its own in it.
        output: The job's first output. Jobs that differ in their wildcards alone, such as those of two splits, run at the same
            time; none may find or delete the checkpoints of another.
        params: All parameters of the job, as JSON can hold them.
        inputs: The job's input files; their content counts, not their names.
        seconds: Time between two checkpoints; each epoch's end makes one as well.
    """
    place = Path(folder) / digest_of(output, params, [file_digest(file) for file in inputs])
    yield Checkpoints(place, seconds)
    shutil.rmtree(place, ignore_errors=True)


class Checkpoints:
    """The checkpoints of a job's trainings, or of one of them.

    Args:
        folder: Where they lie.
        seconds: Time between two of them.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self._seconds = folder, seconds
        self._last = time.monotonic()

    def of(self, *facts: Any) -> "Checkpoints":
        """The checkpoints of the training that these facts tell from all others."""
        return Checkpoints(self.folder / digest_of(*facts), self._seconds)

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is long enough ago."""
        return time.monotonic() - self._last >= self._seconds

    def save(self, tensors: Mapping[str, Tensor], counters: Mapping[str, Any]) -> None:
        """Write a checkpoint; the one before it stays readable until the new one is whole."""
        newest = self.folder / _NEWEST
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        header = {"counters": json.dumps(counters)}

        def write(temporary: Path) -> None:
            save_file(whole, temporary, header)
            if newest.exists():
                newest.replace(self.folder / _BEFORE)

        write_atomically(newest, write)
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and counters of the newest checkpoint that is whole; None where there is none. Says so in the log."""
        for leftover in self.folder.glob(".*.partial"):  # of a process killed while it wrote
            leftover.unlink()
        for name in (_NEWEST, _BEFORE):
            file = self.folder / name
            if not file.exists():
                continue
            try:
                with safe_open(file, "pt") as stored:
                    counters = json.loads(stored.metadata()["counters"])
                    tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
            except (SafetensorError, OSError) as error:
                print(f"checkpoint {file}: not whole ({error}), left out", file=sys.stderr, flush=True)
                continue
            return tensors, counters
        return None
