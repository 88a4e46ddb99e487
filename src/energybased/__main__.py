"""`python -m energybased` is `ebm`."""

import sys

from energybased.cli import main

sys.exit(main())
