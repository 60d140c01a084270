# SPDX-License-Identifier: MIT
"""How long a large corpus takes: measured and told, not asserted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from plumbline.corpus._corpus import load

CASE = """\
  - id: case-number-{n}-of-many
    claim: Something is claimed about the loop.
    runs: 5
    program:
      - fs.stat: {{path: ".", then: [
          {{timeout: {{after: 0, then: [{{log: timeout}}]}}}},
          {{immediate: {{then: [{{log: immediate}}]}}}}]}}
      - timeout: {{after: 3, then: [{{log: [b, $elapsed]}}]}}
      - tick: {{then: [{{log: [c, $count]}}]}}
    expect:
      - [c, 1]
      - any-order: [immediate, timeout]
      - [b, {{min: 3, max: 100}}]
"""


@pytest.mark.slow
def test_three_thousand_cases_are_read(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Thirty files of a hundred cases, without a problem."""
    folder = small / "conformance" / "cases" / "loop"
    for file in range(30):
        body = "".join(CASE.format(n=n) for n in range(100))
        (folder / f"topic-{file}.yaml").write_text(
            f"rule: LOOP-CHECK-2\ncases:\n{body}")
    start = time.perf_counter()
    corpus = load(small)
    seconds = time.perf_counter() - start
    assert corpus.problems.found == []
    assert len(corpus.cases) == 3000 + 6
    with capsys.disabled():
        print(f"\n3,006 cases read and compiled in {seconds:.2f} s")
