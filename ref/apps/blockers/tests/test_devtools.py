# SPDX-License-Identifier: MIT
"""Chrome's DevTools reads our profiles, and sees the times that we see.

The reader is the one of the browser that is installed: its own module, loaded
from the front end that it carries. Without a browser the test is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BIN = Path(os.environ["PLUMB_BLOCKERS"])
FRONT_END = "devtools://devtools/bundled/devtools_app.html"
READ = """
const done = arguments[arguments.length - 1];
const read = async text => {
  const {CPUProfileDataModel} =
      await import('./models/cpu_profile/cpu_profile.js');
  const model =
      new CPUProfileDataModel.CPUProfileDataModel(JSON.parse(text));
  const calls = [];
  model.forEachFrame(() => {}, (depth, node, sample, start, length, self) => {
    calls.push({depth, name: node.functionName, url: node.url,
                line: node.lineNumber, length, self});
  });
  return {calls, duration: model.profileEndTime - model.profileStartTime};
};
read(arguments[0]).then(done, error => done(String(error)));
"""


@pytest.fixture(scope="module")
def front_end() -> Iterator[Any]:
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="python3-selenium is not installed")
    service = pytest.importorskip("selenium.webdriver.chrome.service")
    browser = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage"):
        options.add_argument(word)
    session = webdriver.Chrome(service=service.Service(driver),
                               options=options)
    session.set_script_timeout(60)
    session.get(FRONT_END)
    yield session
    session.quit()


def test_devtools_sees_the_busy_wait(front_end: Any, tmp_path: Path) -> None:
    """Its name, place and length to the microsecond, below its phase."""
    file = tmp_path / "p.cpuprofile"
    subprocess.run([BIN / "plumb-busy-wait", "blocks", file], check=True,
                   capture_output=True, timeout=60)
    model = front_end.execute_async_script(READ, file.read_text())
    if isinstance(model, str):
        pytest.skip(f"another front end: {model}")
    longest = max((c for c in model["calls"] if c["name"] != "(idle)"),
                  key=lambda c: float(c["self"]))
    assert (longest["depth"], longest["name"]) == (1, "on_arrival")
    assert longest["url"] == "ref/apps/blockers/busy_wait.c"
    profile = json.loads(file.read_text())
    names = {node["id"]: node["callFrame"]["functionName"]
             for node in profile["nodes"]}
    written = max(
        delta for sample, delta in
        zip(profile["samples"], profile["timeDeltas"][1:])
        if names[sample] == "on_arrival")
    assert longest["length"] == pytest.approx(written / 1000, abs=0.01)
    beats = [c for c in model["calls"] if c["name"] == "on_beat"]
    fired = [t for t in profile["plumb"]["timers"]
             if names[t[0]] == "on_beat"]
    assert len(beats) == len(fired)
