"""What one study needs: its files, room on the disk, memory, and servers that answer."""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from huggingface_hub import constants as hub

from iqadistill.config.experiments import source_of
from iqadistill.config.jobs import Job, Plan, check_layout
from iqadistill.datasets.labels.label_files import read_variable
from iqadistill.datasets.labels.registry import format_module
from iqadistill.datasets.retrieval.checksums import LOCKS
from iqadistill.datasets.retrieval.retrieval import dataset_status
from iqadistill.doctor import limits
from iqadistill.doctor.finding import Finding, State, gigabytes, listed
from iqadistill.doctor.folders import check_writable, existing, is_there
from iqadistill.doctor.machine import shares_locks
from iqadistill.doctor.programs import can_unpack
from iqadistill.errors import InputError
from iqadistill.pricing.price import weights_bytes
from iqadistill.pricing.work import StudyWork, Work

FACTOR = 1.5  # within which an estimate is meant to lie, see docs/price.md
ADVICE = {"ok": "", "warning": f", and the estimate may be too low by a factor of {FACTOR:g}; {{}}", "problem": "; {}"}
PATIENCE = 3.0  # seconds until a server has answered
UNREACHED = f"cannot be reached within {PATIENCE:.0f} s"


class Needs:
    """What is left to do of a study.

    Args:
        plan: The study's jobs.

    Attributes:
        work: The jobs whose results are not there, with their work.
        states: State of the files of each dataset among them that comes as an archive, see `dataset_status`.
        indexed: Datasets that are yet to be indexed.
        uncounted: Those of them whose images could not be counted.
    """

    def __init__(self, plan: Plan):
        counted = StudyWork(plan)
        self.plan = plan
        self.work = [(job, counted.of(job)) for job in plan.jobs.values() if not is_there(job.output)]
        self.indexed = [job.names["dataset"] for job, _ in self.work if job.rule == "index_dataset"]
        self.uncounted = [name for name in self.indexed if counted.images(name).missing]
        self.states = {
            name: dataset_status(source_of(plan.study, name), self.root_of(name))
            for job, _ in self.work
            if job.rule == "retrieve_dataset" and (name := job.names["dataset"])
        }

    def root_of(self, dataset: str) -> Path:
        """Folder of a dataset's files."""
        return Path(self.plan.root_of(dataset))

    def room(self, job: Job, work: Work) -> tuple[Path, float]:
        """Folder that a job writes to, and the bytes that come into it."""
        if job.rule != "retrieve_dataset":
            return Path("results"), work.disk
        name = job.names["dataset"]
        left = 0.0 if self.states[name] == "ready" else work.disk - self.there(name)
        return self.root_of(name), max(0.0, left)

    def there(self, dataset: str) -> int:
        """Bytes of files in a dataset's folder: archives, whole or in part."""
        return sum(file.stat().st_size for file in self.root_of(dataset).glob("*") if file.is_file())


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
    yield from _files(needs)
    yield from _datasets(needs)
    yield from _weights(plan)
    if stored:
        yield from _space(needs)
    if here:
        yield from _memory(needs, card)


def _layout() -> Iterator[Finding]:
    try:
        check_layout(Path("results"))
    except InputError as error:
        yield Finding("problem", "results", str(error).rstrip("."))
    except PermissionError:  # reported among the folders
        return


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


def _datasets(needs: Needs) -> Iterator[Finding]:
    """Datasets that come as archives."""
    study, download = needs.plan.study, 0.0
    downloaded: list[str] = []
    addresses: list[tuple[str, ...]] = []
    for name, state in needs.states.items():
        record, root, mirror = source_of(study, name), needs.root_of(name), study.datasets[name].url
        if state == "ready":
            continue
        yield from _problems(check_writable("root", root, "set its root"))
        files = [root / archive.name for archive in record.archives] if state != "archive present" else root.glob("*")
        if closed := [file.name for file in files if not can_unpack(file)]:
            yield Finding("problem", "archives", f"{name}: no program here unpacks {listed(closed)}; see unpacking")
        left = [archive for archive in record.archives if not (root / archive.name).is_file()]
        if state == "archive present" and (record.access != "open" or not left):
            continue
        if record.access != "open" and not mirror:
            how = "must be requested" if record.access == "form" else "can only be downloaded with a browser"
            yield Finding("problem", "dataset", f"{name} {how} at {record.page}; put its files into {root}")
            continue
        downloaded.append(name)
        size = sum(work.download for job, work in needs.work if job.names.get("dataset") == name)
        download += max(0.0, size - needs.there(name))
        addresses += [(mirror,)] if mirror else [archive.urls for archive in left]
    ready = [name for name, state in needs.states.items() if state == "ready"]
    if len(ready) < len(needs.states):
        yield from _problems(check_writable("checksums", LOCKS, "run from a folder of yours"))
    if ready:
        yield Finding("ok", "datasets", f"{listed(ready)} {'is' if len(ready) == 1 else 'are'} there")
    if downloaded:
        yield Finding("ok", "download", f"{gigabytes(download)} for {listed(downloaded)}")
    yield from _servers(addresses)


def _problems(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if finding.state != "ok")


def reads_matlab(labels: str) -> bool:
    """Whether a label format reads MATLAB files."""
    return hasattr(import_module(format_module(labels)), read_variable.__name__)


def _servers(addresses: list[tuple[str, ...]]) -> Iterator[Finding]:
    """Ask whether files can be downloaded, each from one of its addresses."""
    files = list(dict.fromkeys(addresses))
    with ThreadPoolExecutor(max(1, len(files))) as pool:
        answers = pool.map(lambda urls: [failure(url) for url in urls], files)
    failed: dict[str, list[str]] = defaultdict(list)
    for urls, failures in zip(files, answers, strict=True):
        if all(failures):
            unreached = failures[0] == UNREACHED
            failed[failures[0]].append(urlsplit(urls[0]).netloc if unreached else urls[0])
    for reason, names in failed.items():
        yield Finding(
            "warning",
            "server",
            f"{listed(list(dict.fromkeys(names)))} {reason}; run where the files can be downloaded, set url to a"
            " mirror, or put them into the dataset's folder",
        )


def failure(url: str) -> str:
    """Why an address serves no file; empty if it does."""
    site = urlsplit(url)
    if site.scheme == "file":
        return "" if Path(unquote(site.path)).exists() else "is absent"
    try:
        with requests.get(url, timeout=PATIENCE, stream=True) as answer:  # some servers know no HEAD
            return "" if answer.ok else f"answers with status {answer.status_code}"
    except requests.RequestException:
        return UNREACHED


def _weights(plan: Plan) -> Iterator[Finding]:
    """Pretrained weights of timm's hub, which are kept in the user's cache."""
    size = weights_bytes(plan)
    if not size:
        return
    folder = Path(hub.HF_HUB_CACHE)
    advice = "set HF_HOME to a folder of yours, unless the weights are there"
    for finding in _problems(check_writable("weights", folder, advice)):
        yield finding._replace(state="warning")
    if hub.HF_HUB_OFFLINE:
        yield Finding("warning", "weights", f"HF_HUB_OFFLINE is set, so that only weights in {folder} can be used")
    elif reason := failure(hub.ENDPOINT):
        yield Finding(
            "warning",
            "weights",
            f"{hub.ENDPOINT} {reason}, and weights of {gigabytes(size)} come from there unless they are in {folder}",
        )


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
        f" give --cores {fitting}, or --resources mem_mb={memory / 1e6:.0f}",
    )


def compare(estimate: float, there: float) -> State:
    """State of what is there beside an estimate: a problem only where that must be far too high to be wrong."""
    return "problem" if estimate > FACTOR * there else "warning" if FACTOR * estimate > there else "ok"
