"""`python -m iqadistill.cli` is `iqadistill`."""

import sys

from iqadistill.cli import main

sys.exit(main())
