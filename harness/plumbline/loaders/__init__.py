# SPDX-License-Identifier: MIT
"""Holds a provider's loader against Node's, on random programs of modules."""

from plumbline.loaders._compare import Difference, compare
from plumbline.loaders._peers import Peer
from plumbline.loaders._random import Program, random_program

__all__ = ["Difference", "Peer", "Program", "compare", "random_program"]
