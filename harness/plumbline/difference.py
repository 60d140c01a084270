# SPDX-License-Identifier: MIT
"""What changed between two runs: each case in exactly one of the groups.

A case regressed when it was as expected and is not any more; it is fixed the
other way round. What was never judged on one side, or changed between
promised and not promised, is told apart from both, because no code became
right or wrong by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plumbline.errors import ResultsError
from plumbline.results import CaseResult, Results
from plumbline.shards import must_be_whole, shard_of

__all__ = ["GROUPS", "Change", "Difference", "difference"]

# In the order in which people want to read them: name, what it means.
GROUPS: Mapping[str, str] = {
    "regressed": "was as expected, and is not any more",
    "flaky": "allowed and forbidden traces both seen, in one run or other",
    "fixed": "was not as expected, and is now",
    "changed": "another verdict, as unexpected (or as expected) as before",
    "capability": "promised on one side only",
    "new": "judged in the new run only",
    "removed": "judged in the old run only",
}


@dataclass(frozen=True)
class Change:
    """One case that is not as it was; None where a side did not judge it."""

    id: str
    old: CaseResult | None
    new: CaseResult | None

    @property
    def text(self) -> str:
        """`pass → fail`."""
        old = self.old.verdict if self.old else "not judged"
        new = self.new.verdict if self.new else "not judged"
        return f"{old} → {new}"

    @property
    def why(self) -> str:
        """The newer side's account of it, in a line, or else the older
        one's; may be empty."""
        for side, when in ((self.new, ""), (self.old, "before: ")):
            said = side and (side.explanation.summary if side.explanation else
                             (side.detail or "").strip().split("\n", 1)[0])
            if said:
                return when + said
        return ""

    @property
    def rule(self) -> str:
        """`LOOP-CHECK-2 MUST`."""
        side = self.new or self.old
        return f"{side.rule} {side.level}" if side else ""


@dataclass(frozen=True)
class Difference:
    """Two runs and their changes, by group; cases without one are counted."""

    old: Results
    new: Results
    groups: Mapping[str, Sequence[Change]]
    same: int

    @property
    def regressed(self) -> bool:
        return bool(self.groups["regressed"])

    @property
    def quiet(self) -> bool:
        return not any(self.groups.values())

    @property
    def remark(self) -> str:
        """What a reader must know of the two beforehand; may be empty."""
        old, new = self.old.header.suite, self.new.header.suite
        return "" if old == new else (
            f"The suite is another one ({old} → {new}): a case may have "
            "become another under its id.")


def _group(old: CaseResult | None, new: CaseResult | None) -> str | None:
    if old is None:
        return "new"
    if new is None:
        return "removed"
    if "flaky" in (old.verdict, new.verdict):
        return "flaky"
    if (old.verdict == "unsupported") != (new.verdict == "unsupported"):
        return "capability"
    if old.unexpected != new.unexpected:
        return "regressed" if new.unexpected else "fixed"
    if old.verdict == new.verdict:
        return None
    # A known failure that passes, or the reverse, where the expectations of
    # the two sides differ: what the implementation does is what counts.
    if old.verdict == "pass":
        return "regressed" if new.verdict in _BROKEN else "changed"
    if new.verdict == "pass":
        return "fixed" if old.verdict in _BROKEN else "changed"
    return "changed"


_BROKEN = frozenset({"fail", "timeout", "crash", "error", "leaked"})


def difference(old: Results, new: Results) -> Difference:
    """Compare two whole runs. ResultsError where one was interrupted or is a
    shard that the other is not: what it did not reach would look removed."""
    for side in (old, new):
        if not side.complete:
            raise ResultsError(
                "the run was interrupted, so what it did not reach would "
                "look removed",
                place=str(side.path),
                remedy="run that implementation again",
            )
    if shard_of(old) != shard_of(new):
        for side in (old, new):
            must_be_whole(side, "merge the shards first, or compare with the "
                          "same shard")
    groups: dict[str, list[Change]] = {name: [] for name in GROUPS}
    same = 0
    for id in [*old.cases, *(i for i in new.cases if i not in old.cases)]:
        change = Change(id, old.cases.get(id), new.cases.get(id))
        group = _group(change.old, change.new)
        if group is None:
            same += 1
        else:
            groups[group].append(change)
    return Difference(old, new, groups, same)
