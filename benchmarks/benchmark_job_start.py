"""CPU seconds that a job spends before its first work: those of the modules that its script imports.

    python benchmarks/benchmark_job_start.py
    python benchmarks/benchmark_job_start.py --rules train_mlps predict --repeats 5

For each rule the import statements at the top of its script run in a fresh process, whose user and system time are
taken; rounds go through all rules in turn, and medians are printed. predict_cross has the script of predict, and Python
alone is the time of an empty script. What Snakemake itself adds to a job is not counted, nor what a script imports
while it works, such as the entry that the study names.
"""

import argparse
import ast
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from iqadistill.config.jobs.layout import PATHS

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = REPOSITORY / "workflow_scripts"
ALONE = "Python alone"
REPORT = "\nimport sys; print('torch' in sys.modules)"


def imports_of(script: Path) -> str:
    """The import statements at module level of a script."""
    statements = ast.parse(script.read_text(encoding="utf-8")).body
    return "\n".join(ast.unparse(node) for node in statements if isinstance(node, ast.Import | ast.ImportFrom))


def start(program: str) -> tuple[float, bool]:
    """CPU seconds of a Python process that runs a program, and whether PyTorch was imported."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(REPOSITORY)])}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", program + REPORT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.strip() == "True"


def main() -> None:
    """Start every script in turn and print the table."""
    rules = [rule for rule in PATHS if (SCRIPTS / f"{rule}.py").is_file()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="+", choices=rules, default=rules)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    programs = {ALONE: "", **{rule: imports_of(SCRIPTS / f"{rule}.py") for rule in options.rules}}
    for program in programs.values():
        start(program)  # compiles what is not compiled yet, and fills the page cache
    rounds = [{rule: start(program) for rule, program in programs.items()} for _ in range(options.repeats)]
    print(f"{'rule':<18} {'CPU s':>6}  needs torch")
    for rule in programs:
        seconds = statistics.median(measured[rule][0] for measured in rounds)
        print(f"{rule:<18} {seconds:6.2f}  {'yes' if rounds[0][rule][1] else 'no'}")


if __name__ == "__main__":
    main()
