# SPDX-License-Identifier: MIT
"""Makes `pytest --plumb-impl IMPL conformance/cases` work from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "harness"))

pytest_plugins = ["plumbline.pytest_plugin"]
