# SPDX-License-Identifier: MIT
"""The corpus pipeline: rules and cases in, corpus.jsonl out.

Reads conformance/spec/*.md, conformance/cases/*/*.yaml and
conformance/expectations/*.yaml, tells everything that is wrong with them as
`file:line: what is wrong; how to mend it`, and compiles what is right.
"""

from __future__ import annotations

from plumbline.corpus._corpus import Corpus, load
from plumbline.corpus._problems import Problem, Problems

__all__ = [
    "Corpus",
    "Problem",
    "Problems",
    "load",
]
