# Constrain the wildcards, and ask the study's plan what each job reads and is given.
import functools
import inspect
import json
import math
from pathlib import Path

from snakemake.exceptions import WorkflowError

from iqadistill import provenance
from iqadistill.config.jobs.layout import EMBEDDINGS, HEADLINE, beside, path_of
from iqadistill.encoders.shards import gathering_bytes
from iqadistill.errors import InputError

# Unset, not 0, for a CPU study: some executors demand more settings wherever gpu is given at all.
GPU = None if STUDY.device == "cpu" else 1
# Networks on the CPU: jobs of one thread each side by side take less time than fewer of more, and there is one a split.
NETWORK_THREADS = 1
CODE_DIGEST = functools.cache(provenance.code_digest)
SCRIPTS = Path(CHECKOUT) / "workflow_scripts"


wildcard_constraints:
    study=STUDY.name.replace(".", r"\.") + f"(/{HEADLINE})?",
    files=r"[A-Za-z][\w.-]*",
    dataset=r"[A-Za-z][\w.-]*",
    splits=r"[A-Za-z][\w.-]*",
    sampler=r"[A-Za-z][\w.-]*",
    encoder=r"[A-Za-z][\w.-]*",
    selector=r"[A-Za-z][\w.~-]*",
    shard=r"\d+-of-\d+",
    student=r"[A-Za-z][\w.-]*",
    teacher=r"[A-Za-z][\w.-]*",
    tested=r"[A-Za-z][\w.-]*",
    keep=r"\d[\d.]*",
    split=r"\d+|all",
    experiment=r"[A-Za-z][\w.-]*",


def output(rule, suffix=None):
    """Path pattern of a rule's first output, or of another one by its suffix."""
    return path_of(rule, suffix)


def log_of(rule):
    """Path pattern of a rule's log."""
    return beside(rule, "logs", ".log")


def benchmark_of(rule):
    """Path pattern of a rule's benchmark."""
    return beside(rule, "benchmarks", ".tsv")


def with_signature(function):
    """A function with its signature at hand: Snakemake asks for it twice whenever it calls one, thousands of times."""
    function.__signature__ = inspect.signature(function)
    return function


def reads(rule, name):
    """Input function: the files that a job reads under a name.

    Where another rule makes this path, all that its job reads; if that is missing, Snakemake tries this rule, and then
    misses the same files instead of running it.
    """

    def files(wildcards):
        job = PLAN.job(rule, wildcards)
        return job.inputs[name] if job.rule == rule else job.input_files

    return with_signature(files)


@with_signature
def manifest_behind_index(wildcards):
    """Input function: the manifest of an archive, which reruns an index only where it says something else than before.

    Where an index exists and the files are those that were retrieved, another retrieval leaves them alone, and the
    index does not wait for it; targets ask for it themselves. An ancient input would not do: where nothing but its job
    has a reason to run, as after a kill or with another url, Snakemake plans nothing behind it.
    """
    job = PLAN.job("index_dataset", wildcards)
    manifests = job.inputs["manifest"]
    retrieved = Path(job.params["root"]).is_dir() and not job.params["files"]
    if retrieved and all(Path(file).exists() for file in [job.output, *manifests]):
        return [before_update(file) for file in manifests]
    return manifests


def given(rule, name):
    """Params function: what a job is given under a name."""
    return with_signature(lambda wildcards: PLAN.job(rule, wildcards).params[name])


def growing(amount):
    """Resources function: the amount at the first attempt, twice as much at the second, and so on."""
    return with_signature(lambda wildcards, attempt: attempt * amount)


def memory_of_training(rule, entry):
    """Resources function: MB for what a training keeps in memory of its patches, images and teachers' outputs.

    All else takes up to 6000 MB. The amount grows with the attempt as in `growing`.
    """

    def megabytes(wildcards, attempt):
        settings = json.loads(PLAN.job(rule, wildcards).params[entry])
        kept = settings["memory_gb"] + settings.get("teacher_memory_gb", 0)
        return attempt * (6000 + math.ceil(1000 * kept))

    return with_signature(megabytes)


@with_signature
def memory_of_gathering(wildcards, input, attempt):
    """Resources function: MB for the embeddings of all parts; where a storage holds them, four times their size."""
    here = [file for file in input.shards if Path(file).is_file()]
    return attempt * (
        1000 + math.ceil(max(4 * input.size_mb, gathering_bytes(here) / 1e6))
    )


def code(rule, script=None):
    """Params function: digest of the package code behind a job. Snakemake does not see edits in imported modules."""
    file = SCRIPTS / f"{script or rule}.py"
    return with_signature(
        lambda wildcards: CODE_DIGEST(file, PLAN.job(rule, wildcards).modules)
    )


def wildcards_of(rule, name):
    """Wildcard constraint: the values of a wildcard in the jobs of a rule."""
    names = [job.wildcards[name] for job in PLAN.jobs.values() if job.rule == rule]
    return "|".join(name.replace(".", r"\.") for name in names) or "none"


def main_tables(rule):
    """Input function: first outputs of a rule's jobs for the main tables alone."""

    def outputs(wildcards):
        try:
            return PLAN.headline.outputs(rule)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    return outputs
