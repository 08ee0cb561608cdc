#!/usr/bin/env python3
"""Submit a job script with what its properties ask for, and print the scheduler's id of the job."""

import json
import re
import subprocess
import sys
from pathlib import Path

script = sys.argv[-1]
properties = json.loads(re.search(r"^# properties = (.+)$", Path(script).read_text(), re.MULTILINE)[1])
resources = properties["resources"]
select = f"select=1:ncpus={properties['threads']}:mem={resources['mem_mb']}mb"
if resources.get("gpu"):
    select += f":ngpus={resources['gpu']}"
hours, minutes = divmod(resources["runtime"], 60)
logs = Path(".snakemake/cluster_logs")
logs.mkdir(parents=True, exist_ok=True)
limits = ["-l", select, "-l", f"walltime={hours}:{minutes:02}:00"]
name = properties.get("rule") or "group"
command = ["qsub", "-N", name[:15], *limits, "-j", "oe", "-o", str(logs.resolve()), script]
submitted = subprocess.run(command, stdout=subprocess.PIPE, text=True)
print(submitted.stdout.strip())
sys.exit(submitted.returncode)
