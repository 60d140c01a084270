# SPDX-License-Identifier: MIT
"""The reference's resolver against Node's: on real trees, on random ones."""

from plumbline.resolvers._ask import Node, Question, Reference, find_nodes
from plumbline.resolvers._compare import Comparison, Difference, compare
from plumbline.resolvers._random import Tree, random_tree, write_tree
from plumbline.resolvers._scan import Scan, scan_tree
from plumbline.resolvers._shrink import shrink
from plumbline.resolvers._trees import RandomTrees, TreeDifference

__all__ = [
    "Comparison",
    "Difference",
    "Node",
    "Question",
    "RandomTrees",
    "Reference",
    "Scan",
    "Tree",
    "TreeDifference",
    "compare",
    "find_nodes",
    "random_tree",
    "scan_tree",
    "shrink",
    "write_tree",
]
