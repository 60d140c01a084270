# SPDX-License-Identifier: MIT
"""The history of times: an append-only store, and where a series changed.

Invariant: what was appended is never changed or taken back; the store itself
refuses it. A series belongs to one benchmark, version, implementation and
machine: where one of them is another, another series begins.
"""

from plumbline.history._points import (
    Point,
    Track,
    append,
    export,
    read_tracks,
)
from plumbline.history._store import Store, open_store

__all__ = ["Point", "Store", "Track", "append", "export", "open_store",
           "read_tracks"]
