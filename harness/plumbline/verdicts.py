# SPDX-License-Identifier: MIT
"""From a shift of times to a verdict: the one rule, for compare and gate.

Shifts are natural logarithms of ratios. A verdict needs bounds: what is only
estimated, or lies across a limit, is INCONCLUSIVE, and that is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, expm1, inf, log, log1p

from plumbline.stats import Shift

__all__ = [
    "CLEAN", "Change", "IMPROVED", "INCONCLUSIVE", "INVALID", "REGRESSED",
    "REGRESSION", "SAME", "UNDECIDED", "detectable", "judge", "percent",
    "status_of",
]

REGRESSED = "REGRESSED"
IMPROVED = "IMPROVED"
SAME = "SAME"
INCONCLUSIVE = "INCONCLUSIVE"

# Exit statuses; 2 is a command line that asks for what cannot be.
CLEAN, REGRESSION, UNDECIDED, INVALID = 0, 3, 4, 5

MARGIN = log1p(0.03)
_SAME = log1p(0.05)
# How much of a bound's distance 90% of repetitions stay below: with a normal
# error, (2.326 + 1.282) / 2.326.
_POWER = 1.551


@dataclass(frozen=True)
class Change:
    """How a benchmark changed, as shares: 0.05 is 5% slower."""

    estimate: float
    lower: float
    upper: float
    margin: float
    verdict: str

    @property
    def detectable(self) -> float:
        """The smallest change that would nearly always have been called."""
        return detectable(log1p(self.estimate),
                          log1p(self.lower) if self.lower > -1 else -inf,
                          log1p(self.margin))


def detectable(estimate: float, lower: float, margin: float) -> float:
    """The change, as a share, that 9 of 10 runs like this one would call
    REGRESSED; infinite where there are no bounds."""
    reach = margin + _POWER * (estimate - lower)
    return inf if reach == inf else expm1(reach)


def judge(
    shift: Shift, margin: float = MARGIN, probability: float | None = None
) -> Change:
    """The verdict of a shift. `probability`: of such a shift where the change
    is no more than the margin, when it was corrected for looking at many;
    without it, the bounds decide."""
    slower = (shift.lower > margin if probability is None
              else probability <= 1 - shift.confidence)
    if slower:
        verdict = REGRESSED
    elif shift.upper < -margin:
        verdict = IMPROVED
    elif -_SAME < shift.lower and shift.upper < _SAME:
        verdict = SAME
    else:
        verdict = INCONCLUSIVE
    return Change(
        estimate=expm1(shift.estimate),
        lower=exp(shift.lower) - 1 if shift.lower > -inf else -inf,
        upper=exp(shift.upper) - 1 if shift.upper < inf else inf,
        margin=expm1(margin),
        verdict=verdict,
    )


def status_of(verdicts: Iterable[str], strict: bool) -> int:
    """The exit status of a run that was valid."""
    found = set(verdicts)
    if REGRESSED in found:
        return REGRESSION
    return UNDECIDED if strict and INCONCLUSIVE in found else CLEAN


def percent(share: float) -> str:
    """A change as text: `+3.2%`, `-0.1%`, `?` where there is no bound."""
    if share in (inf, -inf):
        return "?"
    return f"{100 * share:+.1f}%"
