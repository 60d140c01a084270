# SPDX-License-Identifier: MIT
"""The HTML report: one folder that opens from disk and asks nobody.

Invariant: nothing that comes from a case, an adapter or a user reaches the
page as markup. jinja2 escapes what it writes; the data is JSON in which `<`
is escaped, and the page's script puts it in as text only.
"""

from plumbline.report._scale import page_times, write_large_report
from plumbline.report._write import write_report

__all__ = ["page_times", "write_large_report", "write_report"]
