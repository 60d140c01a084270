# SPDX-License-Identifier: MIT
"""Which results may be exported at all."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.errors import ResultsError
from plumbline.results import Results

__all__ = ["must_prove"]


def must_prove(all_results: Sequence[Results]) -> None:
    """ResultsError where something of it would look like a proof and is none:
    no case, an interrupted run, or a run in which every case errored."""
    for results in all_results:
        verdicts = {case.verdict for case in results.cases.values()}
        if not results.cases:
            wrong = "no case was judged"
        elif not results.complete:
            wrong = "the run was interrupted"
        elif verdicts <= {"error", "crash", "unsupported"} and (
                verdicts != {"unsupported"}):
            wrong = "every case ended in an error"
        else:
            continue
        raise ResultsError(
            f"{wrong}, so it proves nothing", place=str(results.path),
            remedy="run that implementation again")
