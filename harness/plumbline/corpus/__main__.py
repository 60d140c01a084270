# SPDX-License-Identifier: MIT
"""python -m plumbline.corpus"""

from __future__ import annotations

import sys

from plumbline.corpus._cli import main

sys.exit(main())
