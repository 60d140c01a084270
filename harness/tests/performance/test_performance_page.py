# SPDX-License-Identifier: MIT
"""The page about speed: the same bytes, readable in words, asking nobody."""

from __future__ import annotations

import json
import os
import random
import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ReportError
from plumbline.history import Point, Track
from plumbline.measure import Document, Series
from plumbline.places import Places, find_places
from plumbline.report.performance import (
    Sources,
    find_sources,
    write_performance,
)
from plumbline.report.performance import _figure
from plumbline.report.performance._latency import lines_of
from plumbline.stats import Histogram, Pauses

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;"


def _change(estimate: float, verdict: str) -> dict[str, Any]:
    return {"estimate": estimate, "lower": estimate - 0.02,
            "upper": estimate + 0.02, "margin": 0.03, "verdict": verdict}


def _gate() -> dict[str, Any]:
    source = random.Random(1)
    pairs = [[100 * (1 + source.gauss(0, 0.01)),
              110 * (1 + source.gauss(0, 0.01))] for _ in range(8)]
    wall = Histogram.of([int(1000 * source.expovariate(1))
                         for _ in range(2000)])
    return {
        "revision": "main", "base": "a" * 40, "head": "b" * 40,
        "dirty": True, "command": f"plumbline gate main {HOSTILE}",
        "seconds": 12.5, "complete": True, "status": 3, "faults": [HOSTILE],
        "skipped": {"instructions": "no valgrind"}, "blocks": 8,
        "proof": {"null": _change(0.001, "SAME"),
                  "canary": _change(0.15, "REGRESSED")},
        "time": [
            {"name": "loop/a/n:1", "before": 100.0, "after": 110.0,
             "change": _change(0.1, "REGRESSED"), "pairs": pairs,
             "problem": None, "detectable": 0.06},
            {"name": "loop/b", "before": 0.0, "after": 0.0, "change": None,
             "pairs": [], "problem": "B ended by SIGSEGV in block 3",
             "detectable": None},
            {"name": "loop/c", "before": 1.0, "after": 1.0, "pairs": pairs,
             "change": {**_change(0.0, "INCONCLUSIVE"), "lower": None,
                        "upper": None},
             "problem": None, "detectable": None},
        ],
        "exact": {"compared": 7, "lines": [
            {"benchmark": "loop/a/n:1", "counter": "syscalls",
             "accepted": 1.0, "now": 2.0, "kind": "more", "note": ""}]},
        "instructions": [{"name": "loop/a/n:1", "before": 1000,
                          "after": 1100, "change": 0.1, "problem": None,
                          "regressed": True}],
        "latency": [{"name": "gc", "clock": "wall", "before": wall,
                     "after": wall,
                     "utilization": [(10, 0.5, 0.4), (100, 0.9, 0.8)]}],
    }


def _document() -> Document:
    series = {}
    for who, factor in (("ref", 1.0), ("libuv", 3.0)):
        for n in (10, 100, 1000):
            one = Series(f"loop/a/n:{n}", who, (factor * n,) * 3,
                         (factor * n,) * 3)
            series[one.full_name] = one
    pauses = Pauses("logical", 10_000, ((10, 50), (5000, 400)))
    series["heap/gc/impl:ref"] = Series(
        "heap/gc", "ref", (1.0,), (1.0,), pauses=(pauses,),
        histograms={"logical": Histogram.of([50, 400])})
    return Document(Path("ref-libuv.json"), {}, series,
                    {"cpu": HOSTILE, "cores": "2"}, {"steal": 0.0},
                    "plumbline bench", True)


def _tracks() -> list[Track]:
    points = [Point(f"2026-01-{d:02}", f"r{d}", 100 if d < 10 else 120, ())
              for d in range(1, 20)]
    return [Track("loop/a", 1, "ref", "f00", {"cpu": "X"}, points),
            Track("loop/a", 1, "ref", "ba4", {"cpu": "Y"}, points[:3]),
            Track("loop/lonely", 1, "ref", "f00", {"cpu": "X"}, points[:1])]


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    return Places(find_places().root, tmp_path)


def _write(places: Places, folder: Path) -> Path:
    return write_performance(
        folder, places, Sources(_gate(), [_document()], _tracks()),
        made="2026-01-01")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs
                       if k in ("src", "href", "xlink:href")]
        self.ids += [v or "" for k, v in attrs if k == "id"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("drawn")
    return _write(Places(find_places().root, folder), folder / "a")


def test_the_same_data_are_the_same_bytes(
    places: Places, tmp_path: Path, drawn: Path
) -> None:
    """The page, every picture and every file of data."""
    again = _write(places, tmp_path / "b")
    for path in sorted(drawn.parent.rglob("*")):
        if path.is_file():
            other = again.parent / path.relative_to(drawn.parent)
            assert path.read_bytes() == other.read_bytes(), path


def test_every_picture_has_words_a_command_and_data(drawn: Path) -> None:
    """And is an SVG of its own."""
    folder = drawn.parent / "performance"
    names = {path.stem for path in folder.glob("*.svg")}
    assert names == {"forest", "paired", "size-loop-a", "pauses-0",
                     "pauses-1", "history-0"}
    page = drawn.read_text()
    for name in names:
        root = xml.fromstring((folder / f"{name}.svg").read_text())
        assert root.get("role") == "img"
        words = [child.text or "" for child in root[:2]]
        assert len(words[0]) > 5 and len(words[1]) > 60, name
        assert f'href="performance/{name}.json"' in page
        json.loads((folder / f"{name}.json").read_text())
    assert page.count("<figcaption>") == len(names)


def test_words_say_what_the_picture_shows(drawn: Path) -> None:
    """With its numbers."""
    page = drawn.read_text()
    for text in (
        "loop/a/n:1 +10.0% REGRESSED", "8 blocks, 8 of them slower",
        "a on libuv: 3.33e+07 a second at n 10, 3.33e+05 at 1,000",
        "2 pauses, half below 50", "+20% at r10", "no change",
    ):
        assert text in page, text


def test_the_banner_says_the_verdict_and_what_it_would_see(
    drawn: Path
) -> None:
    """With the faults, and what explains the change."""
    page = drawn.read_text()
    for text in ("Slower than the base", "<b>6% to 6%</b>", "SIGSEGV",
                 "instructions lane skipped: no valgrind", "syscalls",
                 "with changes"):
        assert text in page, text


def test_colours_follow_dark_and_light(drawn: Path) -> None:
    """No placeholder is left, and every colour has a fallback."""
    for path in (drawn.parent / "performance").glob("*.svg"):
        text = path.read_text()
        assert "#0101" not in text, path
        assert re.search(r"var\(--(ink|soft),#", text), path
        fixed = set(re.findall(r"(?<!,)#[0-9a-f]{6}\b", text))
        assert fixed <= {"#ffffff", "#000000"}, (path, fixed)


def test_the_page_asks_nobody_and_believes_nobody(drawn: Path) -> None:
    """Only what lies beside it is loaded; names never become markup."""
    page = _Page(drawn.read_text())
    assert "img" not in page.tags
    for link in page.links:
        local = link.startswith(("#", "data:,")) or (
            drawn.parent / link).exists()
        assert local or link == "index.html", link
    assert len(page.ids) == len(set(page.ids))


def test_pauses_that_are_all_equal_have_no_picture() -> None:
    """One length, once or often, is a number and no distribution."""
    def made(name: str, *lengths: int) -> Series:
        listed = tuple((1000 * n, length) for n, length in enumerate(lengths))
        return Series(
            name, "ref", (1.0,), (1.0,),
            pauses=(Pauses("logical", 9000, listed),),
            histograms={"logical": Histogram.of(lengths)})

    series = {one.name: one for one in (
        made("a", 7, 7, 7), made("b", 7, 7, 8), made("c", 7))}
    document = Document(Path("x.json"), {}, series)
    assert [one.name for one in lines_of([document], None)] == ["b"]


def test_without_matplotlib_the_numbers_are_complete(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the page says what is missing."""
    monkeypatch.setattr(_figure, "available", lambda: False)
    page = _write(places, tmp_path / "c").read_text()
    assert "<figure>" in page and "+20% at r10" in page
    assert not list((tmp_path / "c/performance").glob("*.svg"))


def test_sources_are_found_and_broken_ones_named(tmp_path: Path) -> None:
    """The rest is shown."""
    places = Places(tmp_path, tmp_path)
    assert find_sources(places).empty
    with pytest.raises(ReportError, match="no measurements"):
        write_performance(tmp_path / "r", places, find_sources(places))
    folder = tmp_path / "out/bench"
    folder.mkdir(parents=True)
    (folder / "good.json").write_text(json.dumps({"benchmarks": [
        {"name": "a", "cpu_time": 1, "real_time": 1}]}))
    (folder / "cut.json").write_text('{"benchmarks": [')
    (folder / "ratios-1.json").write_text("{}")
    (tmp_path / "out/gate").mkdir()
    (tmp_path / "out/gate/x.json").write_text("[]")
    os.utime(folder / "good.json", (1, 1))
    found = find_sources(places)
    assert [d.path.name for d in found.documents] == ["good.json"]
    assert len(found.problems) == 2
    assert "cut.json" in found.problems[0] and "x.json" in found.problems[1]
