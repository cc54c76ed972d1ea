"""`python -m vedette` is the `vedette` command."""

import sys

from vedette.cli import main

sys.exit(main())
