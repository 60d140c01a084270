# SPDX-License-Identifier: MIT
"""Mutants: deliberately wrong references that the cases must catch.

A mutant is one small edit, applied to a copy of the reference's sources. It
is killed when a case that the clean reference gets right is no longer as
expected. The reference itself is never touched.
"""

from plumbline.mutants._compile import Workshop
from plumbline.mutants._judge import Verdict, judge_mutants
from plumbline.mutants._read import Mutant, areas, read_mutants
from plumbline.mutants._table import print_matrix

__all__ = [
    "Mutant",
    "Verdict",
    "Workshop",
    "areas",
    "judge_mutants",
    "print_matrix",
    "read_mutants",
]
