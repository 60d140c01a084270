# SPDX-License-Identifier: MIT
"""The corpus pipeline: rules and cases in, corpus.jsonl out.

Reads conformance/spec/*.md, conformance/cases/*/*.yaml and
conformance/expectations/*.yaml, tells everything that is wrong with them as
`file:line: what is wrong; how to mend it`, and compiles what is right:
`python -m plumbline.corpus --help`.

What the rest of the harness takes from here are the renderings of a compiled
case; importing them loads neither YAML nor JSON Schema.
"""

from __future__ import annotations

from plumbline.corpus._javascript import program_to_js
from plumbline.corpus._text import pattern_to_text, program_to_text

__all__ = ["pattern_to_text", "program_to_js", "program_to_text"]
