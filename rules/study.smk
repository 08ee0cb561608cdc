# Read the study, check it and what it names, and plan its jobs.
import gc
from pathlib import Path

from snakemake.exceptions import WorkflowError

from iqadistill.config.checks.file_checks import check_files, check_working_folder
from iqadistill.config.jobs.layout import check_layout
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.load import check_study
from iqadistill.errors import InputError
from iqadistill.yaml_file import read_yaml

# Thousands of jobs are millions of objects that stay: a fifth of the time went into looking for garbage among them.
gc.set_threshold(20_000, 10, 10)

MOVED = workflow.modifier.path_modifier
if MOVED.prefix or MOVED._prefix_replacements:
    raise WorkflowError(
        "module: prefix and replace_prefix are not supported, for studies share data and results; leave them out, and "
        "give studies different names."
    )

# A study stands alone: the default is read only when no other is given, for Snakemake would merge the two.
DEFAULTS = [] if workflow.config_settings.configfiles else [DEFAULT_STUDY]

# The default is checked before Snakemake reads it, which runs the code of a file with __use_yte__.
try:
    check_working_folder()
    for file in [*workflow.configfiles, *DEFAULTS]:
        read_yaml(file)
except InputError as error:
    raise WorkflowError(str(error)) from None

if DEFAULTS:

    configfile: DEFAULT_STUDY


try:
    STUDY = check_study(config)
    check_layout(Path("results"))
    check_files(STUDY)
    PLAN = Plan(STUDY)
    PLAN.jobs
except InputError as error:
    raise WorkflowError(str(error)) from None
