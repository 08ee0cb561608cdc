"""Checkpoints of a training, from which it resumes after it was killed.

A checkpoint is a single safetensors file: tensors, and the counters as JSON in its header, so that the two always
belong together. It is written to a temporary file, flushed and renamed, and the previous checkpoint is kept until
then.
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

from safetensors import SafetensorError
from torch import Tensor

from iqadistill.atomic_writing import write_atomically
from iqadistill.provenance import file_digest
from iqadistill.training.tensor_files import load_tensors, save_tensors

_NEWEST, _PREVIOUS = "newest.safetensors", "previous.safetensors"


def digest_of(*facts: Any) -> str:
    """16 hexadecimal digits of facts that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def resumable(
    folder: str | Path, output: str, params: Mapping[str, Any], inputs: Iterable[str | Path], *, seconds: float = 120.0
) -> Iterator["Checkpoints"]:
    """Checkpoints of a job, found again by a job of the same output, parameters and inputs, and deleted on success.

    Args:
        folder: Folder of the stage's checkpoints; every digest has a subfolder.
        output: The job's first output. Jobs of the same parameters, such as those of two splits, run at the same
            time; none may find or delete the checkpoints of another.
        params: All parameters of the job, as JSON can hold them; a digest of the code among them decides after which
            edits a training starts from the beginning.
        inputs: The job's input files; their content counts, not their names.
        seconds: Time between two checkpoints; one is also written at the end of each epoch.
    """
    subfolder = Path(folder) / digest_of(output, dict(params.items()), [file_digest(file) for file in inputs])
    yield Checkpoints(subfolder, seconds)
    shutil.rmtree(subfolder, ignore_errors=True)


class Checkpoints:
    """The checkpoints of all trainings of a job, or of a single one.

    Args:
        folder: Folder of the checkpoints.
        seconds: Time between two of them.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self._seconds = folder, seconds
        self._last = time.monotonic()

    def of(self, *facts: Any) -> "Checkpoints":
        """The checkpoints of the training that these facts identify."""
        return Checkpoints(self.folder / digest_of(*facts), self._seconds)

    @property
    def due(self) -> bool:
        """Whether it is time for another checkpoint."""
        return time.monotonic() - self._last >= self._seconds

    def save(self, tensors: Mapping[str, Tensor], counters: Mapping[str, Any]) -> None:
        """Write a checkpoint; the previous one stays readable until it is complete."""
        newest = self.folder / _NEWEST
        header = {"counters": json.dumps(counters)}

        def write(temporary: Path) -> None:
            save_tensors(tensors, temporary, header)
            if newest.exists():
                newest.replace(self.folder / _PREVIOUS)

        write_atomically(newest, write)
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and counters of the newest complete checkpoint; None if there is none."""
        for leftover in self.folder.glob(".*.partial"):  # of a process that was killed while it wrote
            leftover.unlink()
        for name in (_NEWEST, _PREVIOUS):
            file = self.folder / name
            if not file.exists():
                continue
            try:
                tensors, metadata = load_tensors(file)
            except (SafetensorError, OSError) as error:
                print(f"checkpoint {file}: not whole ({error}), ignored", file=sys.stderr, flush=True)
                continue
            return tensors, json.loads(metadata["counters"])
        return None
