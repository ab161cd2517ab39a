"""`python -m rcgan_nb.cli` is `rcgan`."""

import sys

from rcgan_nb.cli import main

sys.exit(main())
