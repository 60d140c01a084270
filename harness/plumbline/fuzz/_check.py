# SPDX-License-Identifier: MIT
"""Runs one program on implementations and says who is outside the model.

A trace that is not allowed has to come again, most of the time, and the model,
asked with a slower machine in mind, must still not know it, and neither must
the reference show it in real time here and now: else it is counted as fleeting
or slow. A crash, a time-out, a breach of the protocol or an error is never
agreement; only a time-out has to come again.

Invariant: the verdict on a program is reached once and remembered, so the
shrinker sees one answer however racy the implementation is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plumbline.fuzz._oracle import Allowed, Oracle, Undecided
from plumbline.fuzz._raw import Program
from plumbline.fuzz._session import Outcome, Session

__all__ = ["Checker", "Evidence", "Finding"]

_AGAIN = 6
_MUST_COME = 2


@dataclass(frozen=True)
class Evidence:
    """What one implementation did with a program: outcome, how often."""

    label: str
    outcomes: tuple[tuple[Outcome, int], ...]
    wrong: bool


@dataclass(frozen=True)
class Finding:
    """A program on which somebody is outside the model."""

    program: Program
    allowed: Allowed
    evidence: tuple[Evidence, ...]

    @property
    def culprits(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.evidence if one.wrong)


@dataclass
class Checker:
    """Holds programs against the model."""

    sessions: Sequence[Session]
    oracle: Oracle
    runs: int
    control: Session | None = None  # the reference; not held against itself
    counts: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Finding | None] = field(default_factory=dict)

    def knows(self, program: Program) -> bool:
        """Whether it has been checked."""
        return json.dumps(program) in self.verdicts

    def check(self, program: Program) -> Finding | None:
        """The finding, or None: agreement, or nothing was decided."""
        key = json.dumps(program)
        if key not in self.verdicts:
            self.verdicts[key] = self._decide(program)
        return self.verdicts[key]

    def _decide(self, program: Program) -> Finding | None:
        try:
            allowed = self.oracle.ask(program)
        except Undecided as undecided:
            self.counts[undecided.kind] += 1
            return None
        if allowed.traces == {()}:
            self.counts["silent"] += 1
            return None
        self.counts["programs"] += 1
        evidence = [
            one for session in self.sessions
            if (one := self._observe(session, program, allowed)) is not None
        ]
        if not any(one.wrong for one in evidence):
            return None
        return Finding(program, allowed, tuple(evidence))

    def _observe(
        self, session: Session, program: Program, allowed: Allowed
    ) -> Evidence | None:
        """Runs a program; None where it is not supported."""
        outcomes: Counter[Outcome] = Counter()
        wrong = False
        for _ in range(self.runs if len(allowed.traces) > 1 else 1):
            outcome = self._run(session, program)
            if outcome.kind == "unsupported":
                self.counts["unsupported"] += 1
                return None
            outcomes[outcome] += 1
            if not _is_allowed(outcome, allowed):
                wrong = self._confirm(session, program, allowed, outcomes)
                break
        self.counts[f"run {session.identity.label}"] += 1
        return Evidence(session.identity.label,
                        tuple(outcomes.most_common()), wrong)

    def _run(self, session: Session, program: Program) -> Outcome:
        self.counts["runs"] += 1
        return session.run(program)

    def _confirm(
        self, session: Session, program: Program, allowed: Allowed,
        outcomes: Counter[Outcome],
    ) -> bool:
        """Whether what was seen, and is not allowed, is to be believed."""
        for _ in range(_AGAIN):
            if _is_fatal(outcomes):
                return True
            outcomes[self._run(session, program)] += 1
        if _is_fatal(outcomes):
            return True
        allowed = self._slower(program, allowed, outcomes)
        wrong = _wrong(outcomes, allowed)
        if wrong == 0:
            self.counts["slow"] += 1
            return False
        if wrong < _MUST_COME or wrong * 2 <= outcomes.total():
            self.counts["fleeting"] += 1
            return False
        control = self.control
        if control is None or control.identity.label == session.identity.label:
            return True
        return self._is_unlike(control, program, allowed, outcomes)

    def _slower(
        self, program: Program, allowed: Allowed,
        outcomes: Mapping[Outcome, int],
    ) -> Allowed:
        """What is allowed, and what was seen and a slower machine may do."""
        slow = {
            outcome.trace for outcome in outcomes
            if outcome.kind == "trace" and not _is_allowed(outcome, allowed)
            and self.oracle.reaches(program, outcome.trace)
        }
        return Allowed(allowed.traces | slow, allowed.states)

    def _is_unlike(
        self, control: Session, program: Program, allowed: Allowed,
        outcomes: Counter[Outcome],
    ) -> bool:
        """Whether the reference, on this machine and now, does otherwise."""
        shown = {control.run(program).trace for _ in range(2 * _AGAIN)}
        if _wrong(outcomes, Allowed(allowed.traces | shown, 0)) == 0:
            self.counts["slow"] += 1
            return False
        return True


def _is_allowed(outcome: Outcome, allowed: Allowed) -> bool:
    return outcome.kind == "trace" and outcome.trace in allowed.traces


def _wrong(outcomes: Mapping[Outcome, int], allowed: Allowed) -> int:
    return sum(count for outcome, count in outcomes.items()
               if not _is_allowed(outcome, allowed))


def _is_fatal(outcomes: Mapping[Outcome, int]) -> bool:
    return any(outcome.kind in ("crash", "protocol", "error")
               for outcome in outcomes)
