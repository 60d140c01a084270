# SPDX-License-Identifier: MIT
"""Makes `pytest --plumb-impl IMPL conformance/cases` work from a checkout."""

import signal
import sys
from pathlib import Path

# A background job of a shell ignores Ctrl-C, and so would what the tests of
# Ctrl-C start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent / "harness"))

pytest_plugins = ["plumbline.pytest_plugin"]
