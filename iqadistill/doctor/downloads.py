"""Archives and weights that a study has yet to get, and the servers that have them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
from huggingface_hub import constants as hub

from iqadistill.config.experiments import source_of
from iqadistill.datasets.registry import ArchiveRecord
from iqadistill.datasets.retrieval.archives import is_archive
from iqadistill.datasets.retrieval.checksums import LOCKS
from iqadistill.doctor.finding import Finding, gigabytes, listed
from iqadistill.doctor.folders import check_writable
from iqadistill.doctor.needs import Needs
from iqadistill.doctor.programs import can_unpack
from iqadistill.pricing.price import weights_bytes

# Rules that begin with pretrained weights.
WITH_WEIGHTS = ("embed_patches", "embed_shard", "pretrain_teacher", "train_student")
PATIENCE = 3.0  # seconds until a server has answered
UNREACHED = f"cannot be reached within {PATIENCE:.0f} s"


def check_archives(needs: Needs) -> Iterator[Finding]:
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
        addresses += _mirrored(mirror, left) if mirror else [archive.urls for archive in left]
    ready = [name for name, state in needs.states.items() if state == "ready"]
    if len(ready) < len(needs.states):
        yield from _problems(check_writable("checksums", LOCKS, "run from a folder of yours"))
    if ready:
        yield Finding("ok", "datasets", f"{listed(ready)} {'is' if len(ready) == 1 else 'are'} there")
    if downloaded:
        yield Finding("ok", "download", f"{gigabytes(download)} for {listed(downloaded)}")
    yield from _servers(addresses)


def _mirrored(mirror: str, archives: list[ArchiveRecord]) -> list[tuple[str, ...]]:
    """Addresses of files on a mirror, which is one archive or a folder of them."""
    if is_archive(urlsplit(mirror).path) or not archives:
        return [(mirror,)]
    return [(f"{mirror.rstrip('/')}/{quote(archive.name)}",) for archive in archives]


def check_weights(needs: Needs) -> Iterator[Finding]:
    """Pretrained weights of timm's hub, which are kept in the user's cache."""
    size = weights_bytes(needs.plan)
    if not size or not any(job.rule in WITH_WEIGHTS for job, _ in needs.work):
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


def _problems(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if finding.state != "ok")
