# SPDX-License-Identifier: MIT
"""Plumbline's harness: starts the judge, reads its results, tells people.

Nothing here reaches a verdict (that is `conform`) and nothing here states an
expectation (that is the corpus). Importing the package imports nothing else,
so that every command starts quickly.
"""

__version__ = "0.1.0"
