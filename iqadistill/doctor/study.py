"""What one study needs of a machine: files, room on the disk, memory."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from itertools import accumulate
from pathlib import Path

from iqadistill import limits
from iqadistill.config.experiments import source_of
from iqadistill.config.jobs.layout import check_layout
from iqadistill.config.jobs.plan import Plan
from iqadistill.datasets.labels.label_files import read_variable
from iqadistill.datasets.labels.registry import format_module
from iqadistill.doctor.downloads import check_archives, check_weights
from iqadistill.doctor.finding import Finding, State, gigabytes, listed
from iqadistill.doctor.folders import existing, is_there
from iqadistill.doctor.machine import shares_locks
from iqadistill.doctor.needs import Needs
from iqadistill.errors import InputError

FACTOR = 1.5  # within which an estimate is meant to lie, see docs/price.md
ADVICE = {"ok": "", "warning": f", and the estimate may be too low by a factor of {FACTOR:g}; {{}}", "problem": "; {}"}


def check_study_needs(plan: Plan, *, card: float = 0.0, here: bool = True, stored: bool = True) -> Iterator[Finding]:
    """Compare what is left to do of a study with what this machine has.

    Args:
        plan: The study's jobs.
        card: Bytes of memory of a card; 0 if networks run on the CPU.
        here: Whether jobs run on this machine, and not on the nodes of a cluster.
        stored: Whether results are stored in the working folder, and not by a storage provider.
    """
    needs = Needs(plan)
    done = len(plan.jobs) - len(needs.work)
    yield Finding("ok", "jobs", f"{len(plan.jobs):,}" + f", of which {done:,} are done" * (done > 0))
    yield from _layout()
    yield from _shards(plan)
    yield from _files(needs)
    yield from check_archives(needs)
    yield from check_weights(needs)
    if stored:
        yield from _space(needs)
    if here:
        yield from _temporary(needs)
        yield from _memory(needs, card)


def _layout() -> Iterator[Finding]:
    try:
        check_layout(Path("results"))
    except InputError as error:
        yield Finding("problem", "results", str(error).rstrip("."))
    except PermissionError:  # reported among the folders
        return


def _shards(plan: Plan) -> Iterator[Finding]:
    """Embeddings tables that a run would refuse to make again, which a dry run does not say."""
    for output, dataset, made, asked in plan.tables_of_other_shards():
        yield Finding(
            "warning",
            "shards",
            f"{output} was made with shards: {made}, but datasets.{dataset} has shards: {asked}; it stays as it is, but"
            " where it has to be embedded again, delete it first",
        )


def _files(needs: Needs) -> Iterator[Finding]:
    """Files that the study names, and folders of the user's own images."""
    for name in needs.indexed:
        record, root = source_of(needs.plan.study, name), needs.root_of(name)
        labelled = record.score is None or record.labels or (root / "images.csv").is_file()
        if record.labels and reads_matlab(record.labels) and not shares_locks():
            yield Finding("problem", "labels", f"{name}: its MATLAB files cannot be read here, see processes")
        if record.origin != "archive" and name in needs.uncounted:
            text = f"{root} is absent or holds no image; put the images there, or set datasets.{name}.root"
            yield Finding("problem", "images", text)
        elif record.origin == "folder" and not labelled:
            yield Finding("problem", "images", f"{root}/images.csv is absent; write it, see docs/datasets.md")
    inputs = [files for job, _ in needs.work for files in job.inputs.values()]
    given = {file for files in inputs for file in ([files] if isinstance(files, str) else files)}
    absent = sorted(file for file in given if not file.startswith("results/") and not is_there(file))
    if absent:
        yield Finding(
            "problem", "files", f"{listed(absent)} {'is' if len(absent) == 1 else 'are'} absent; correct the study"
        )


def reads_matlab(labels: str) -> bool:
    """Whether a label format reads MATLAB files."""
    return hasattr(import_module(format_module(labels)), read_variable.__name__)


def _space(needs: Needs) -> Iterator[Finding]:
    """Compare what results and downloads take with what is free, on each file system."""
    sizes: dict[Path, float] = defaultdict(float)
    for job, work in needs.work:
        folder, size = needs.room(job, work)
        sizes[folder] += size
    disks: dict[int, list[Path]] = defaultdict(list)
    for folder in (folder for folder, size in sizes.items() if size):
        disks[existing(folder).stat().st_dev].append(folder)
    for folders in disks.values():
        size = sum(sizes[folder] for folder in folders)
        free = shutil.disk_usage(existing(folders[0])).free
        state = compare(size, free)
        text = f"{gigabytes(size)} estimated for {listed(sorted(map(str, folders)))}, {gigabytes(free)} free"
        text += f"; {listed(needs.uncounted)} not counted" * bool(needs.uncounted)
        yield Finding(
            state, "disk", text + ADVICE[state].format("free some, or link the folder to one on a larger disk")
        )


def _temporary(needs: Needs) -> Iterator[Finding]:
    """Compare the largest temporary file of a job with what is free in the folder for such files."""
    size = max((work.temporary for _, work in needs.work), default=0.0)
    if not size:
        return
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:  # reported among the folders
        return
    free = shutil.disk_usage(folder).free
    state = compare(size, free)
    text = f"{gigabytes(size)} estimated for the temporary file of a training in {folder}, {gigabytes(free)} free"
    advice = "set TMPDIR to a folder on a larger disk, or lower teacher_disk_gb"
    yield Finding(state, "temporary", text + ADVICE[state].format(advice))


def _memory(needs: Needs, card: float) -> Iterator[Finding]:
    """Compare the memory of the largest job, and of jobs side by side, with that of the machine."""
    sizes = sorted((work.memory for _, work in needs.work), reverse=True)
    if not sizes:
        return
    memory, cores = limits.usable_memory(), limits.visible_cores()
    state = compare(sizes[0], memory + card)
    text = f"{gigabytes(sizes[0])} estimated for the largest job, {gigabytes(memory)} here"
    text += f" and {gigabytes(card)} on a card" * (card > 0)
    if state != "ok":
        advice = "take another machine, or lower memory_gb, batch_size or the samplers' count"
        yield Finding(state, "memory", text + ADVICE[state].format(advice))
        return
    together = sum(sizes[:cores])
    fitting = sum(size <= memory for size in accumulate(sizes[:cores]))
    if card or together <= memory:
        yield Finding("ok", "memory", text)
        return
    yield Finding(
        "warning",
        "memory",
        f"{text}, but {gigabytes(together)} for the {len(sizes[:cores])} largest, which --cores all may start together;"
        f" give --cores {fitting}",
    )


def compare(estimate: float, there: float) -> State:
    """State of what is there beside an estimate: a problem only where an estimate too high by `FACTOR` exceeds it."""
    return "problem" if estimate > FACTOR * there else "warning" if FACTOR * estimate > there else "ok"
