# SPDX-License-Identifier: MIT
"""Random programs against the model: `plumbline fuzz`.

Importing this loads Hypothesis; the command does so when it runs.
"""

from __future__ import annotations

from plumbline.fuzz._case import case_text, finding_id, write_case
from plumbline.fuzz._check import Checker, Evidence, Finding
from plumbline.fuzz._known import Known, parse_without, read_known
from plumbline.fuzz._language import LAYERS, Language, languages_of
from plumbline.fuzz._oracle import Allowed, Oracle, Undecided
from plumbline.fuzz._pattern import pattern_of
from plumbline.fuzz._search import Search, programs_of
from plumbline.fuzz._session import Identity, Outcome, Session

__all__ = [
    "LAYERS",
    "Allowed",
    "Checker",
    "Evidence",
    "Finding",
    "Identity",
    "Known",
    "Language",
    "Oracle",
    "Outcome",
    "Search",
    "Session",
    "Undecided",
    "case_text",
    "finding_id",
    "languages_of",
    "parse_without",
    "pattern_of",
    "programs_of",
    "read_known",
    "write_case",
]
