# SPDX-License-Identifier: MIT
"""`bench --leaks`: what the lab prints becomes a verdict, tables, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from plumbline.commands.bench import command
from plumbline.errors import PlumblineError
from plumbline.leaks import (
    _lab,
    _outside,
    leak_table,
    measure_leaks,
    outside_table,
    problems,
    read_leaks,
)
from plumbline.leaks._labs import Lab, find_labs
from plumbline.places import Places, find_places
from plumbline.registry import read_registry
from plumbline.report.performance import Sources, write_performance
from plumbline.report.performance._leaks import leak_figures

# A lab that leaks 1,000 bytes a round, and writes snapshots.
LAB = """#!/bin/sh
leak=$1 state=$2; shift 2
for word; do case $word in */snapshot) touch "$word-before.heapsnapshot" \
"$word-after.heapsnapshot";; esac; done
printf '{"kind": "start", "leak": "%s", "state": "%s", "culprit": "Page"}\\n' \
$leak $state
step=0 verdict=steady leaks=0
[ $state = cured ] || { step=1000 verdict=leak leaks=1; }
for round in 0 1 2 3 4; do
  printf '{"kind": "sample", "at": "collection", "round": %d, "turn": %d,
"rss": 9000, "heapTotal": 5000, "heapUsed": %d, "external": 0, "inUse": %d}' \
$round $((round * 10 + 10)) $((2000 + round * step)) \
$((2000 + round * step)) | tr '\\n' ' '; echo
done
[ $state = cured ] || echo '{"kind": "leak", "round": 4, "growth": 4000}'
printf '{"kind": "end", "verdict": "%s", "collections": 5, "leaks": %d,
"memwatch": %d, "seenBy": "events", "kept": 7}' $verdict $leaks $leaks |
tr '\\n' ' '; echo
"""
HEAP = """#!/bin/sh
[ -e "$5" ] && [ -e "$6" ] || exit 2
echo '[{"constructor": "(string)", "added": 9, "removed": 0, "culprit": false},
{"constructor": "Page", "added": 60, "removed": 10, "culprit": true,
"path": [{"edge": "", "name": "Map", "id": 1},
{"edge": ".value", "name": "Page", "id": 3}]}]'
"""
OUTSIDE = """#!/bin/sh
echo '{"kind": "outside", "stops": {"p50": 5000000, "p99": 6000000,
"max": 7000000}, "gets": {"p50": 100, "p99": 200, "max": 300}, "rss": 1000,
"heapUsed": 2048, "serverUsed": 0}' | tr '\\n' ' '
"""


def _program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture()
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A build of programs that play; `ref` and a `node` of them; two leaks."""
    monkeypatch.setattr(_lab, "LEAKS", ("cache", "queue"))
    lab = _program(tmp_path / "lab", LAB)
    outside = _program(tmp_path / "outside", OUTSIDE)
    _program(tmp_path / "ref/apps/plumb-heap/plumb-heap", HEAP)
    monkeypatch.setattr(_lab, "find_labs", lambda places, registry: [
        Lab("ref", (lab,), (outside,), ("process", "steps")),
        Lab("node-1", (lab,), (outside,), ("process",))])
    monkeypatch.setattr(_outside, "find_server", lambda: "/bin/false")
    return Places(find_places().root, tmp_path)


def _shown(table: Any) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_every_leak_has_a_verdict_on_everybody(
    places: Places, tmp_path: Path
) -> None:
    """Before and after, in an order that does not tell who ran first."""
    told: list[str] = []
    value = measure_leaks(places, True, tmp_path / "out", told.append)
    assert value == read_leaks(tmp_path / "out/leaks.json")
    assert [(r["implementation"], r["leak"], r["state"])
            for r in value["runs"]] == [
        (who, leak, state) for who in ("ref", "node-1")
        for leak in _lab.LEAKS for state in _lab.STATES]
    assert problems(value) == []
    run = value["runs"][0]
    assert run["comparison"] == {"named": "Page", "more": 50,
                                 "path": ["Map", ".value Page"]}
    assert "comparison" not in value["runs"][1]
    shown = _shown(leak_table(value))
    assert "+1,000 B, leak" in shown and "+0 B, steady" in shown
    assert "Page +50" in shown
    shown = _shown(outside_table(value))
    assert "5 ms" in shown and "100 ns" in shown and "2.0 KiB" in shown
    # Not the same one first each time.
    assert {text.split(":")[0] for text in told[0:1]} == {"ref"}
    assert any(a.startswith("node-1: queue") and b.startswith("ref: queue")
               for a, b in zip(told, told[1:]))


@pytest.mark.parametrize("lab, why", [
    ("#!/bin/sh\necho no >&2; exit 3\n", "it ended with 3: no"),
    ("#!/bin/sh\necho nothing\n", "no JSON"),
    ("#!/bin/sh\necho '{\"kind\": \"start\"}'\n", "did not come to its end"),
    ("#!/bin/sh\n", "nothing that is known"),
    (LAB.replace("verdict=leak", "verdict=steady"), "leaks: steady"),
    (LAB.replace("verdict=steady leaks=0", "verdict=inconclusive leaks=0"),
     "cured: inconclusive"),
])
def test_what_went_wrong_is_a_problem_of_its_own(
    places: Places, tmp_path: Path, lab: str, why: str
) -> None:
    """Of each run; what else was measured is there."""
    _program(tmp_path / "lab", lab)
    value = measure_leaks(places, True, tmp_path / "out")
    found = problems(value)
    assert found and all(why in text for text in found)
    assert len(value["runs"]) == 8 and len(value["outside"]) == 6
    _shown(leak_table(value))
    leak_figures(value)


def test_a_comparison_that_fails_is_a_problem(
    places: Places, tmp_path: Path
) -> None:
    """The verdict of the run stands."""
    _program(tmp_path / "ref/apps/plumb-heap/plumb-heap",
             "#!/bin/sh\necho broken >&2; exit 1\n")
    value = measure_leaks(places, True, tmp_path / "out")
    assert len(problems(value)) == 4
    assert value["runs"][0]["verdict"] == "leak"


def test_without_a_server_redis_is_skipped_by_name(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leaks are measured nevertheless."""
    monkeypatch.setattr(_outside, "find_server", lambda: None)
    value = measure_leaks(places, True, tmp_path / "out")
    assert value["outside"] == []
    assert value["skipped"] == [
        "the cache in Redis: redis-server is not installed"]
    assert problems(value) == []


def test_a_server_that_does_not_start_is_a_problem_of_its_arms(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of no others."""
    outside = str(tmp_path / "outside")
    monkeypatch.setattr(_lab, "find_labs", lambda places, registry: [
        Lab("ref", (str(tmp_path / "lab"),), (outside,),
            ("process", "redis"))])
    value = measure_leaks(places, True, tmp_path / "out")
    assert [("problem" in arm) for arm in value["outside"]] == \
        [False, True] * 2
    assert all("did not start" in text for text in problems(value))


def test_who_is_here_has_the_lab() -> None:
    """Where there is a build: the reference, and what the registry finds."""
    places = find_places()
    try:
        labs = find_labs(places, read_registry(places))
    except PlumblineError:
        pytest.skip("there is no build here")
    assert labs[0].label == "ref"
    assert all(lab.leaks[-1].endswith("lab.cjs") for lab in labs[1:])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}',
                                  '{"format": 1, "runs": 3}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """With what it should have been."""
    path = tmp_path / "leaks.json"
    path.write_text(text)
    with pytest.raises(PlumblineError):
        read_leaks(path)


def test_pictures_say_what_they_show(places: Places, tmp_path: Path) -> None:
    """A picture per leak, and one of the cache; the same data, the same
    bytes; on the page about speed."""
    pytest.importorskip("matplotlib")
    value = measure_leaks(places, True, tmp_path / "out")
    figures = leak_figures(value)
    assert [one.name for one in figures] == [
        *(f"leak-{leak}" for leak in _lab.LEAKS), "leak-outside"]
    assert figures == leak_figures(value)
    assert "ref before: +1.0 KiB a full collection, leak, snapshots name " \
        "Page" in figures[0].text
    assert "stops of 5 ms, a page in 0.1 us" in figures[-1].text
    assert all(one.command == "plumbline bench --leaks --quick"
               for one in figures)
    page = write_performance(
        tmp_path / "r", places, Sources(None, [], [], (), value),
        made="2026-01-01")
    text = page.read_text()
    assert text.count("<figcaption>") == 3 and 'id="leaks"' in text
    for one in figures:
        data = tmp_path / "r/performance" / f"{one.name}.json"
        assert json.loads(data.read_text())
        assert "#0101" not in one.svg


def test_nothing_of_leaks_is_no_picture() -> None:
    """Nor is it an error."""
    assert leak_figures(None) == []


def test_the_leaks_are_measured_alone() -> None:
    """Of everybody who is here."""
    for words in (["ref"], ["--filter", "x"], ["--ratios"], ["--rounds", "3"],
                  ["--io-models"], ["--ways-to-serve"], ["--suite"]):
        result = CliRunner().invoke(command, ["--leaks", *words])
        assert "--leaks goes with" in str(result.exception), words
