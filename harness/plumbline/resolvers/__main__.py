# SPDX-License-Identifier: MIT
"""`python3 -m plumbline.resolvers PLUMB_RESOLVE`: random trees, for the
build's own tests. Exit status 77 (skipped) where no Node 20 or 22 is found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plumbline.places import find_places
from plumbline.registry import read_registry
from plumbline.resolvers import RandomTrees, Reference, find_nodes
from plumbline.resolvers._tell import tell


def main() -> int:
    """Runs the trees of some seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path, help="plumb-resolve")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trees", type=int, default=60)
    options = parser.parse_args()
    nodes, skipped = find_nodes(read_registry(find_places()))
    for why in skipped:
        print(f"# skipped: {why}")
    if not nodes:
        return 77
    search = RandomTrees(Reference(options.binary), nodes, options.seed,
                         options.trees, most=5)
    found = list(search.differences())
    for one in found:
        print("\n".join(tell(one)))
    names = ", ".join(node.label for node in nodes)
    print(f"# {names}: {search.trees} trees, {search.asked} questions, "
          f"{len(found)} kinds of differences, explained: "
          f"{dict(search.explained)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
