# SPDX-License-Identifier: MIT
"""The leak lab on every runtime that is here, measured and judged.

The programs of ref/apps/leak-lab run, before and after their cures; what they
print becomes one file, of which the report draws pictures.
"""

from plumbline.leaks._document import leak_table, outside_table, read_leaks
from plumbline.leaks._lab import measure_leaks, problems

__all__ = [
    "leak_table", "measure_leaks", "outside_table", "problems", "read_leaks",
]
