"""``python -m piopiy_lab.cli``: the ``piopiy-lab`` command where its script is not on the path."""

import sys

from piopiy_lab.cli import main

sys.exit(main())
