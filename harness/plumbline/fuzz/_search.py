# SPDX-License-Identifier: MIT
"""Draws programs of one language, holds each against the model, shrinks.

Invariant: with the same seed, language and model the same programs are drawn;
nothing is kept from run to run.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from plumbline.fuzz._check import Checker, Finding
from plumbline.fuzz._handles import handle_programs
from plumbline.fuzz._language import RUNTIME, Language
from plumbline.fuzz._raw import Program
from plumbline.fuzz._runtime import runtime_programs

__all__ = ["Search", "programs_of"]

# Between the seeds of a search's rounds: a finding ends a round.
_STRIDE = 1_000_003
# Small programs are drawn again and again; only new ones count.
_REPEATED = 4
# Slow implementations shrink slowly; what is small enough by then is told.
_SHRINK_SECONDS = 60.0


class _Found(Exception):
    """A program on which somebody is outside the model."""


class _Over(BaseException):
    """Enough was drawn, or the time is up. Not an Exception: Hypothesis
    would take it for a finding."""


def programs_of(language: Language) -> st.SearchStrategy[Program]:
    """Random programs of a language."""
    if language.layer == RUNTIME:
        return runtime_programs(language)
    return handle_programs(language)


@dataclass
class Search:
    """A search of `examples` programs, or until `deadline`."""

    language: Language
    checker: Checker
    examples: int
    deadline: float | None
    seed: int
    most: int  # findings
    progress: Callable[[int, int | None], None] = lambda done, total: None
    drawn: int = 0
    over: bool = False
    _last: Finding | None = field(default=None)
    _shrink_until: float | None = None

    def findings(self) -> Iterator[Finding]:
        """The findings, shrunk, each once."""
        known: set[str] = set()
        round_ = 0
        while len(known) < self.most and self._left() > 0 and not self.over:
            before = self.drawn
            finding = self._round(self.seed + round_ * _STRIDE)
            round_ += 1
            if finding is None and self.drawn == before:
                return  # the language has no further program
            if finding is None:
                continue
            key = json.dumps(finding.program)
            if key not in known:
                known.add(key)
                yield finding

    def _left(self) -> int:
        return self.examples - self.drawn

    def _round(self, number: int) -> Finding | None:
        """Draws until something is found, and shrinks that."""
        self._last = None
        self._shrink_until = None

        @seed(number)
        @settings(
            max_examples=self._left() * _REPEATED,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(programs_of(self.language))
        def holds(program: Program) -> None:
            self._try(program)

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HypothesisWarning)
                holds()
        except _Found:
            pass
        except _Over:
            pass
        return self._last

    def _try(self, program: Program) -> None:
        now = time.monotonic()
        new = not self.checker.knows(program)
        if self._shrink_until is not None:
            if new and now > self._shrink_until:
                return
        elif self.deadline is not None and now > self.deadline:
            self.over = True
            raise _Over
        elif new:
            if self._left() <= 0:
                raise _Over
            self.drawn += 1
            self.progress(self.drawn, self.examples)
        finding = self.checker.check(program)
        if finding is None:
            return
        if self._shrink_until is None:
            self._shrink_until = time.monotonic() + _SHRINK_SECONDS
        self._last = finding
        raise _Found
