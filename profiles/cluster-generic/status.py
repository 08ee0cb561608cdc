#!/usr/bin/env python3
"""Print running, success or failed for the scheduler's id of a job."""

import re
import subprocess
import sys

asked = subprocess.run(["qstat", "-x", "-f", sys.argv[1]], stdout=subprocess.PIPE, text=True)
found = dict(re.findall(r"^\s*(job_state|Exit_status) = (\S+)", asked.stdout, re.MULTILINE))
if asked.returncode or found.get("job_state") not in ("F", "C"):
    print("running")  # a server that does not answer now is asked again
else:
    print("success" if found.get("Exit_status") == "0" else "failed")
