#!/usr/bin/env python3
"""Print running, success or failed for the scheduler's id of a job."""

import re
import subprocess
import sys

asked = subprocess.run(["qstat", "-x", "-f", sys.argv[1]], capture_output=True, text=True)
lines = re.findall(r"^\s*(job_state|exit_status) = (\S+)", asked.stdout, re.MULTILINE | re.IGNORECASE)
found = {name.lower(): value for name, value in lines}
if asked.returncode:
    # A server that keeps no history forgets a job that has ended, and Snakemake then looks for its outputs. One that
    # does not answer now is asked again.
    print("success" if "unknown job" in asked.stderr.lower() else "running")
elif found.get("job_state") in ("F", "C"):
    print("success" if found.get("exit_status") == "0" else "failed")
else:
    print("running")
