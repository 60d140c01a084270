# SPDX-License-Identifier: MIT
"""`python3 -m plumbline.loaders HOST PROVIDER`: random programs of modules, for
the build's own tests. Exit status 77 (skipped) where no Node 20 or 22 is found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plumbline.loaders import Peer, compare
from plumbline.places import find_places
from plumbline.registry import read_registry
from plumbline.resolvers import find_nodes

_MOST = 5


def main() -> int:
    """Runs the programs of some seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", type=Path, help="plumb-host")
    parser.add_argument("provider", type=Path, help="a provider library")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--node", action="append", default=[], metavar="EXE")
    options = parser.parse_args()
    places = find_places()
    nodes, skipped = find_nodes(read_registry(places), options.node)
    for why in skipped:
        print(f"# skipped: {why}")
    if not nodes:
        return 77
    adapter = places.root / "conformance" / "adapters" / "js" / "adapter.cjs"
    reference = Peer("reference", [str(options.host), str(options.provider)])
    others = [Peer(node.label, [str(node.path), "--no-warnings", str(adapter)])
              for node in nodes]
    seeds = range(options.seed, options.seed + options.programs)
    found = 0
    try:
        for one in compare(reference, others, seeds):
            print("\n".join(one.lines()), flush=True)
            found += 1
            if found == _MOST:
                break
    finally:
        for peer in (reference, *others):
            peer.close()
    names = ", ".join(peer.name for peer in others)
    print(f"# {names}: {options.programs} programs, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
