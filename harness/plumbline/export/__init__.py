# SPDX-License-Identifier: MIT
"""Results as other programs want them: one writer a format, pure functions
from results to text.

Every writer gets results that the strict reader has believed, and refuses a
set that proves nothing (nothing_proved): a green badge of nothing is a lie.
"""

from plumbline.export._annotations import github_annotations
from plumbline.export._badge import badge
from plumbline.export._diff import diff_html, diff_json, diff_markdown
from plumbline.export._files import write_text
from plumbline.export._json import summary_json
from plumbline.export._junit import junit
from plumbline.export._markdown import markdown
from plumbline.export._proof import must_prove
from plumbline.export._tap import tap

__all__ = [
    "badge",
    "diff_html",
    "diff_json",
    "diff_markdown",
    "github_annotations",
    "junit",
    "markdown",
    "must_prove",
    "summary_json",
    "tap",
    "write_text",
]
