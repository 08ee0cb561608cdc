"""`iqadistill doctor`: check whether this machine has what the workflow, or one study, needs."""

import argparse
import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iqadistill.cli.study_files import read_plan
from iqadistill.datasets.registry import dataset_records
from iqadistill.doctor.cards import check_cards, memory_of_cards
from iqadistill.doctor.clusters import check_commands, check_profile, is_remote, read_profile
from iqadistill.doctor.finding import Finding
from iqadistill.doctor.folders import check_folders, check_space
from iqadistill.doctor.machine import check_machine
from iqadistill.doctor.programs import check_programs
from iqadistill.doctor.software import check_software
from iqadistill.paths import path_argument

WIDTH = 100


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "doctor",
        help="check whether this machine has what a run needs",
        description="Check whether this machine has what the workflow needs, and with --configfile whether it has what"
        " is left to do of that study: files, disk, memory, servers. Exits with status 1 on a problem.",
    )
    parser.add_argument("--configfile", type=path_argument, metavar="STUDY", help="study file to check the machine for")
    parser.add_argument(
        "--workflow-profile",
        type=path_argument,
        metavar="PROFILE",
        help="folder of the profile that the study will run with, such as profiles/slurm",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print one finding per line, by what they concern; returns 1 if any is a problem."""
    groups = {heading: list(findings) for heading, findings in _groups(given.configfile, given.workflow_profile)}
    print(_as_json(groups) if given.json else _table(groups))
    return int(any(finding.state == "problem" for findings in groups.values() for finding in findings))


def _groups(configfile: Path | None, profile_folder: Path | None) -> Iterable[tuple[str, Iterable[Finding]]]:
    """Headings with their findings.

    Raises:
        InputError: The study, the profile or datasets.yaml is not valid.
    """
    known = len(dataset_records())  # read first: a mistake in datasets.yaml stops every command
    profile = read_profile(profile_folder) if profile_folder else {}
    plan = read_plan(configfile) if configfile else None
    here = not is_remote(profile)
    yield "Software", check_software()
    yield "Machine", check_machine()
    if here:
        yield "Cards", check_cards(plan.study.device if plan else "auto")
    yield "Folders", [*check_folders(), *(() if plan else check_space())]
    yield "Programs", check_programs()
    yield "Cluster", check_profile(profile) if profile_folder else check_commands()
    if plan is None:
        datasets = Finding("ok", "datasets", f"{known} are known; iqadistill datasets shows their state")
        yield "Datasets", [datasets]
        return
    from iqadistill.doctor.study import check_study_needs  # takes seconds, for it counts the networks

    on_cards = memory_of_cards() if here and plan.study.device != "cpu" else 0.0
    stored = not profile.get("default-storage-provider")
    yield f"Study {plan.study.name}", check_study_needs(plan, card=on_cards, here=here, stored=stored)


def _table(groups: dict[str, list[Finding]]) -> str:
    lines: list[str] = []
    for heading, findings in groups.items():
        lines += ["", heading] if lines else [heading]
        for finding in findings:
            start = f"  {finding.state:<8} {finding.subject:<10} "
            lines += textwrap.wrap(
                finding.text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
            )
    states = [finding.state for findings in groups.values() for finding in findings]
    counts = [_count(states.count("problem"), "problem"), _count(states.count("warning"), "warning")]
    return "\n".join([*lines, "", f"{' and '.join(counts)}."])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _as_json(groups: dict[str, list[Finding]]) -> str:
    findings = [{"group": heading, **finding._asdict()} for heading, found in groups.items() for finding in found]
    return json.dumps(findings, indent=2)
