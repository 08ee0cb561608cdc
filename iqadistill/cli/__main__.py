"""The command `iqadistill` as `python -m iqadistill.cli`."""

import sys

from iqadistill.cli import main

sys.exit(main())
