# SPDX-License-Identifier: MIT
"""`plumbline test`: every test of the suite itself, as a list of stages."""

from plumbline.selftest._run import Options, run_stages
from plumbline.selftest._stages import stages

__all__ = ["Options", "run_stages", "stages"]
