"""`iqadistill cost`: what a study costs before it runs."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.cli.study_files import read_plan
from iqadistill.errors import InputError
from iqadistill.paths import path_argument

if TYPE_CHECKING:
    from iqadistill.config.jobs.plan import Plan
    from iqadistill.pricing.rates import Rates

BEGIN, END = "<!-- prices -->", "<!-- end of prices -->"


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "cost",
        help="price a study before it runs",
        description="Count a study's jobs, trainings, passes and operations, its downloads, disk and memory, and its"
        " hours: on this machine, from a calibration of some 20 seconds, or on a card.",
    )
    parser.add_argument(
        "--configfile",
        type=path_argument,
        default=Path("config.yaml"),
        metavar="STUDY",
        help="study file (default: config.yaml)",
    )
    parser.add_argument("--headline", action="store_true", help="price the main tables alone")
    parser.add_argument(
        "--tflops",
        type=_above_zero,
        metavar="RATE",
        help="hours on a card that achieves RATE TFLOP/s, instead of a calibration; 30 is a large card in float32",
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="N", help="cores (default: all)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="cards, where there are any (default: 1)")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    parser.add_argument(
        "--table",
        nargs="+",
        type=path_argument,
        metavar="STUDY",
        help="print a Markdown table of these studies on one card at 30 TFLOP/s with 8 cores, as README shows it",
    )
    parser.add_argument(
        "--readme",
        type=path_argument,
        metavar="FILE",
        help="with --table: write it into FILE, between its marks of prices",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the price."""
    # imported here since torch and timm take seconds, which no other command should wait for
    from iqadistill.pricing.price import price_study
    from iqadistill.pricing.rates import card_rates
    from iqadistill.pricing.table import price_text

    if given.cores < 1 or given.gpus < 1:
        raise InputError("cost: --cores and --gpus are numbers of at least 1; give others.")
    if given.readme and not given.readme.is_file():
        raise InputError(f"--readme {given.readme}: no such file; correct the path.")
    if given.table:
        table = studies_table(given.table)
        print(table)
        if given.readme:
            _write_between_marks(given.readme, table)
        return 0
    plan = read_plan(given.configfile)
    plan = plan.headline if given.headline else plan
    rates = card_rates(given.tflops) if given.tflops else _measured(plan)
    price = price_study(plan, rates, cores=given.cores, cards=given.gpus)
    print(json.dumps(price.as_json(), indent=2) if given.json else price_text(price))
    return 0


def studies_table(files: list[Path]) -> str:
    """Markdown table of the prices of studies, and of their main tables where they mark any."""
    from iqadistill.pricing.price import price_study
    from iqadistill.pricing.rates import card_rates
    from iqadistill.pricing.table import price_markdown

    plans = {}
    for file in files:
        plan = read_plan(file)
        plans[plan.study.name] = plan
        if plan.has_headline:
            plans[f"{plan.study.name}, main tables"] = plan.headline
    return price_markdown((name, price_study(plan, card_rates(), cores=8)) for name, plan in plans.items())


def _write_between_marks(file: Path, table: str) -> None:
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"{file}: expected the lines {BEGIN} and {END} once each; write them where the table belongs.")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _measured(plan: "Plan") -> "Rates":
    from iqadistill.devices import lease_device
    from iqadistill.pricing.calibration import SECONDS, calibrate

    with lease_device(plan.study.device) as device:
        return calibrate(plan, device, SECONDS)


def _above_zero(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError(f"{text}, expected a number above 0")
    return float(text)
