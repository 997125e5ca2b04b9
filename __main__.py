"""`python -m assay` is the command `assay`."""

import sys

from assay.harness.cli import main

sys.exit(main())
