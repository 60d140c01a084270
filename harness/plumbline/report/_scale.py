# SPDX-License-Identifier: MIT
"""How large a report may grow: what one of 3,000 cases on 8 implementations
costs to make, to open and to filter."""

from __future__ import annotations

import importlib
import json
import shutil
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from plumbline.catalog import Case, Catalog, read_catalog
from plumbline.errors import RunError
from plumbline.places import Places
from plumbline.report._write import write_report
from plumbline.results import Results, read_many

__all__ = ["CASES", "IMPLEMENTATIONS", "Written", "page_times",
           "write_large_report"]

CASES, IMPLEMENTATIONS = 3000, 8
_WRONG = 50  # one case in so many fails


@dataclass(frozen=True)
class Written:
    """A report that was made: its page, seconds, and bytes of the folder."""

    page: Path
    seconds: float
    size: int


def _catalog(places: Places) -> Catalog:
    """The corpus, repeated under other ids or cut to the size."""
    real = read_catalog(places.corpus, places.rules)
    cases: dict[str, Case] = {}
    for n, case in enumerate(islice(cycle(real.cases.values()), CASES)):
        id = case.id if case.id not in cases else f"{case.id}-{n}"
        cases[id] = Case({**case.raw, "id": id})
    return Catalog(real.suite, cases, real.rules)


def _result(case: Case, n: int) -> dict[str, Any]:
    wrong = n % _WRONG == 0
    events = [["event", n % 7], "another", "third"]
    return {
        "kind": "case", "id": case.id, "rule": case.rule, "level": case.level,
        "area": case.area, "verdict": "fail" if wrong else "pass",
        "expected": ["pass"], "unexpected": wrong, "reason": None, "runs": 1,
        "duration_ms": 0.5,
        "traces": [{"events": events, "count": 1, "allowed": not wrong}],
        "explanation": {
            "summary": "expected `another` before `event`", "kind": "order",
            "at": 0, "expected": ["another"], "before": "another",
            "after": "event",
        } if wrong else None,
        "detail": None, "stderr": None, "evidence": {},
    }


def _results(catalog: Catalog, folder: Path) -> list[Results]:
    paths: list[Path] = []
    for who in range(IMPLEMENTATIONS):
        cases = [_result(case, n + 7 * who)
                 for n, case in enumerate(catalog.cases.values())]
        wrong = sum(case["unexpected"] for case in cases)
        lines: list[dict[str, Any]] = [
            {"kind": "header", "format": 1, "suite": catalog.suite,
             "implementation": {"name": f"made-up-{who}", "version": "1"},
             "capabilities": [], "traits": [], "machine": {},
             "command": ["conform"], "selected": len(cases),
             "started": "2025-01-01T00:00:00Z", "seed": 1},
            *cases,
            {"kind": "footer", "complete": True, "unexpected": wrong,
             "totals": {"pass": len(cases) - wrong, "fail": wrong},
             "duration_ms": 1.0},
        ]
        paths.append(folder / f"made-up-{who}-1.jsonl")
        paths[-1].write_text("".join(json.dumps(x) + "\n" for x in lines))
    return read_many(paths)


def write_large_report(places: Places, folder: Path) -> Written:
    """Make it in `folder`; reading the results is part of the time."""
    catalog = _catalog(places)
    _results(catalog, folder)
    begun = time.monotonic()
    results = read_many(sorted(folder.glob("*.jsonl")))
    page = write_report(catalog, results, folder / "report", places)
    seconds = time.monotonic() - begun
    size = sum(p.stat().st_size for p in page.parent.rglob("*")
               if p.is_file())
    return Written(page, seconds, size)


_FILTER = """
const done = arguments[0], box = document.getElementById('q'), times = [];
const words = ['timeout', 'im', '', 'zzz', ''];
function next() {
  if (!words.length) return done(Math.max(...times));
  box.value = words.shift();
  const begun = performance.now();
  box.dispatchEvent(new Event('input', {bubbles: true}));
  document.body.offsetHeight;
  times.push(performance.now() - begun);
  requestAnimationFrame(() => setTimeout(next));
}
next();
"""


def page_times(page: Path) -> tuple[float, float]:
    """Milliseconds to load the page and to filter it (the slowest of five
    searches, with layout) in Chromium; the best of three visits. RunError
    where there is no browser."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    try:
        webdriver: Any = importlib.import_module("selenium.webdriver")
        service: Any = importlib.import_module(
            "selenium.webdriver.chrome.service")
    except ImportError as error:
        raise RunError("python3-selenium is not installed") from error
    if not browser or not driver:
        raise RunError("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(word)
    session = webdriver.Chrome(service=service.Service(driver),
                               options=options)
    try:
        loads: list[float] = []
        filters: list[float] = []
        for _ in range(3):
            session.get("about:blank")
            session.get(page.as_uri())
            loads.append(session.execute_script(
                "return performance.getEntriesByType('navigation')[0]"
                ".loadEventEnd"))
            filters.append(session.execute_async_script(_FILTER))
        return min(loads), min(filters)
    finally:
        session.quit()
