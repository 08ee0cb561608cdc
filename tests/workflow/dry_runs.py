"""Dry runs of Snakemake inside the test process: what would run and why."""

import contextlib
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake.cli import args_to_api, parse_args
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


@dataclass(frozen=True)
class PlannedJob:
    """A job that a dry run would start.

    Attributes:
        rule: Name of its rule.
        wildcards: Wildcard values by name.
        input: Input files.
        output: Output files.
        reason: Why it would run, as Snakemake words it.
        resources: Resources by name, e.g. {"gpu": 1, "mem_mb": 2000}; a resource that is not set is missing.
        threads: Threads it would get.
    """

    rule: str
    wildcards: Mapping[str, str]
    input: tuple[str, ...]
    output: tuple[str, ...]
    reason: str
    resources: Mapping[str, Any]
    threads: int


@dataclass
class DryRun:
    """What a dry run found.

    Attributes:
        succeeded: Whether Snakemake would exit with status 0.
        jobs: The jobs that would run; word targets and `all` are jobs too.
        messages: What Snakemake printed apart from the jobs, errors included.
    """

    succeeded: bool = False
    jobs: list[PlannedJob] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @cached_property
    def counts(self) -> Counter[str]:
        """Number of jobs by rule; 0 for a rule that would not run."""
        return Counter(job.rule for job in self.jobs)

    @property
    def rules(self) -> set[str]:
        """Rules that would run, without `all`."""
        return set(self.counts) - {"all"}

    @property
    def outputs(self) -> set[str]:
        """Files that would be written."""
        return {file for job in self.jobs for file in job.output}

    @property
    def reasons(self) -> dict[str, set[str]]:
        """Reasons by rule."""
        return {rule: {job.reason for job in self.jobs if job.rule == rule} for rule in self.counts}

    @property
    def text(self) -> str:
        """All messages as one text."""
        return "\n".join(self.messages)


def dry_run(folder: Path, *arguments: str) -> DryRun:
    """Run `snakemake --dry-run ARGUMENTS` in a folder and in this process.

    The command line is parsed as a user's, profiles included. The package is the one that the tests import, from the
    repository: a test that edits the folder's copy of the package or of its data files needs a process instead.

    Args:
        folder: Folder that holds the Snakefile and the studies.
        arguments: Arguments of the command line but for --dry-run.
    """
    found = DryRun()
    with contextlib.chdir(folder), _process_state(), _records_of(logger, found):
        parser, parsed = parse_args(["--dry-run", *arguments])
        found.succeeded = args_to_api(parsed, parser)
    return found


@contextlib.contextmanager
def _process_state() -> Iterator[None]:
    """Restore what Snakemake changes in its process: environment variables, the module path and signal handlers."""
    environment, path = dict(os.environ), list(sys.path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _records_of(log: logging.Logger, found: DryRun) -> Iterator[None]:
    """Collect the log records of Snakemake by a filter: it replaces the handlers of its logger in each run."""

    def collect(record: logging.LogRecord) -> bool:
        facts = vars(record)
        if facts.get("event") == LogEvent.JOB_INFO:
            found.jobs.append(
                PlannedJob(
                    rule=facts["rule_name"],
                    wildcards=dict(facts["wildcards"]),
                    input=tuple(facts["input"]),
                    output=tuple(facts["output"]),
                    reason=facts["reason"],
                    resources=dict(facts["resources"].items()),
                    threads=facts["threads"],
                )
            )
        elif record.msg:
            found.messages.append(record.getMessage())
        return False

    handlers, level = list(log.handlers), log.level
    log.addFilter(collect)
    try:
        yield
    finally:
        log.removeFilter(collect)
        log.handlers[:] = handlers
        log.setLevel(level)
