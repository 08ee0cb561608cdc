"""One job of the workflow, and the text that its script is given."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iqadistill.config.jobs.layout import PATHS, TEMPORARY, TIMED, beside, path_of
from iqadistill.settings import Settings


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        rule: Its rule.
        wildcards: Values of the wildcards of `PATHS[rule]`.
        names: The names behind them: of dataset, sampler and so on, without digests.
        inputs: Files by the name of the input; a list where there may be none or several.
        params: What the script is given, plain or as JSON text.
        modules: Registered files whose code it runs, or ran in the jobs whose parts it gathers, as dotted names.
    """

    rule: str
    wildcards: Mapping[str, str]
    names: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """Its first output."""
        return PATHS[self.rule].format(**self.wildcards)

    @property
    def lasting(self) -> str:
        """Its first output; of a job whose outputs are temporary, the file that holds them in the end."""
        return PATHS[TEMPORARY.get(self.rule, self.rule)].format(**self.wildcards)

    def file(self, suffix: str) -> str:
        """Another output, by its suffix."""
        return path_of(self.rule, suffix).format(**self.wildcards)

    @property
    def input_files(self) -> list[str]:
        """All of its inputs."""
        return [file for given in self.inputs.values() for file in ([given] if isinstance(given, str) else given)]

    @property
    def log(self) -> str:
        """Where the job's messages go."""
        return beside(self.rule, "logs", ".log").format(**self.wildcards)

    @property
    def benchmark(self) -> str:
        """Where Snakemake writes what the job took."""
        return beside(self.rule, "benchmarks", ".tsv").format(**self.wildcards)


def has_sidecar(job: Job) -> bool:
    """Whether a job writes JSON beside its first output: facts on weights, or the time to embed or score images."""
    return job.rule in TIMED or job.output.endswith(".safetensors")


def short_digest(*facts: Any) -> str:
    """8 hexadecimal digits of facts that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def text(facts: Any) -> str:
    """Facts as stable JSON text."""
    return json.dumps(facts, sort_keys=True)


def dump(entry: Settings, without: Iterable[str] = ()) -> dict[str, Any]:
    """An entry's settings as JSON can hold them."""
    return entry.model_dump(mode="json", exclude=set(without))
