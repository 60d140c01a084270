# SPDX-License-Identifier: MIT
"""The mutants tool, on a reference of two functions and a judge that asks
it for one number."""

from __future__ import annotations

import json
import subprocess
import textwrap
from io import StringIO
from pathlib import Path

import pytest
import samples
from rich.console import Console

from plumbline.catalog import read_catalog
from plumbline.errors import MutantError
from plumbline.mutants import (
    Mutant,
    Verdict,
    Workshop,
    judge_mutants,
    print_matrix,
    read_mutants,
)
from plumbline.mutants._read import check_cases
from plumbline.places import Places
from plumbline.registry import Target

IO = "loop/check/immediate-before-timeout-inside-io"
MAIN = "loop/check/unordered-from-main"

SOURCES = {
    "loop/six.h": "#define SIX 6\nint six(void);\n",
    "loop/six.c": '#include "six.h"\nint six(void) { return SIX; }\n',
    "provider.c": '#include "loop/six.h"\n'
                  "int plumb_answer(void) { return six() * 7; }\n",
    "tests/t.c": "#error never compiled\n",
    "apps/a.c": "int main(void) { return 0; }\n",
}

NINJA = """\
rule cc
  command = cc -Iinclude -I{ref} -MD -MQ $out -MF $out.d -o $out -c $in
rule pic
  command = cc -fPIC -I{ref} -MD -MQ $out -MF $out.d -o $out -c $in
rule link
  command = cc -shared -o $out $in -lm
build ref/lib.p/six.c.o: pic {ref}/loop/six.c
build ref/lib.p/provider.c.o: pic {ref}/provider.c
build ref/app.p/a.c.o: cc {ref}/apps/a.c
build ref/libplumb-ref.so: link ref/lib.p/six.c.o ref/lib.p/provider.c.o
default ref/libplumb-ref.so
"""


@pytest.fixture()
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A checkout with a built reference, and the judge that asks it."""
    # A folder with a space: commands must survive it.
    root = tmp_path / "check out"
    build = samples.write_build(root / "build")
    for name, text in SOURCES.items():
        path = root / "ref" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (build / "ref/libplumb-ref.so").unlink()
    ref = str(root / "ref").replace(" ", "$ ")
    (build / "build.ninja").write_text(NINJA.format(ref=ref))
    text = (build / "build.ninja").read_text()
    quoted = f"-I'{root}/ref'"
    (build / "build.ninja").write_text(
        text.replace(f"-I{ref}", quoted)
    )
    subprocess.run(["ninja", "-C", str(build)], check=True,
                   capture_output=True)
    database = subprocess.run(
        ["ninja", "-C", str(build), "-t", "compdb", "cc", "pic"],
        check=True, capture_output=True, text=True,
    ).stdout
    (build / "compile_commands.json").write_text(database)
    monkeypatch.setenv("FAKE_CONFORM", "ask")
    return Places(root, build)


def _mutant(find: str, replace: str, file: str = "loop/six.c",
            killed_by: tuple[str, ...] = (IO,)) -> Mutant:
    return Mutant("m", "loop", file, find, replace, "because", killed_by,
                  "conformance/mutants/loop.yaml:7")


def _judge(places: Places, *mutants: Mutant, full: tuple[str, ...] = ()
           ) -> list[Verdict]:
    clean = Target("ref", "ref",
                   provider=places.build / "ref/libplumb-ref.so")
    workshop = Workshop(places.root / "ref", places.build)
    return judge_mutants(places, mutants, workshop, clean, full)


def test_a_library_that_is_linked_by_its_path_is_linked_again(
    places: Places,
) -> None:
    """As Meson links what pkg-config tells it."""
    (libm,) = Path("/usr/lib").glob("*/libm.so.6")
    ninja = places.build / "build.ninja"
    ninja.write_text(ninja.read_text().replace("$in -lm", f"$in {libm}"))
    made = Workshop(places.root / "ref", places.build).make(
        _mutant("int six(void) {", "double cos(double);\n"
                "double (*f)(double) = cos;\nint six(void) {"))
    needed = subprocess.run(["readelf", "-d", str(made)], check=True,
                            capture_output=True, text=True).stdout
    assert "[libm.so.6]" in needed


def test_a_mutant_that_answers_wrong_is_killed(places: Places) -> None:
    """By the case that it names."""
    (verdict,) = _judge(places, _mutant("return SIX", "return SIX + 1"))
    assert verdict.killed
    assert verdict.kills == {IO: "fail"}
    assert verdict.missed == []


def test_a_mutant_that_answers_right_survives(places: Places) -> None:
    """Its case misses it."""
    (verdict,) = _judge(places, _mutant("return SIX", "return 3 + 3"))
    assert not verdict.killed
    assert verdict.missed == [IO] and verdict.attempts == 3


def test_a_mutant_that_behaves_by_chance_is_judged_again(
    places: Places, tmp_path: Path
) -> None:
    """And the table says so."""
    here, gone = tmp_path / "here", tmp_path / "gone"
    here.touch()
    chance = (f'int rename(const char *, const char *);\n'
              f'int six(void) {{ if (rename("{here}", "{gone}") == 0) '
              f'return SIX; return 7;')
    (verdict,) = _judge(places, _mutant("int six(void) {", chance))
    assert verdict.kills == {IO: "fail"} and not verdict.missed
    assert verdict.attempts == 2
    out = StringIO()
    print_matrix(Console(file=out, width=100, color_system=None), [verdict])
    assert "killed when judged 2 times" in out.getvalue()


def test_a_header_is_mutated_everywhere(places: Places) -> None:
    """Every source that includes it is compiled again."""
    (verdict,) = _judge(places, _mutant("SIX 6", "SIX 5", "loop/six.h"))
    assert verdict.kills == {IO: "fail"}


def test_a_time_out_counts_as_a_kill(places: Places) -> None:
    """A loop that hangs is caught."""
    (verdict,) = _judge(places, _mutant("return SIX", "return -1"))
    assert verdict.kills == {IO: "timeout"}


def test_a_case_that_does_not_kill_is_told(places: Places) -> None:
    """Although another one does."""
    (verdict,) = _judge(places, _mutant("SIX;", "7;",
                                        killed_by=(IO, MAIN)))
    assert verdict.killed
    assert verdict.missed == [MAIN]


def test_the_full_matrix_judges_the_area(places: Places) -> None:
    """Also with cases that the mutant does not name."""
    (verdict,) = _judge(places, _mutant("SIX;", "7;"), full=("loop",))
    assert set(verdict.kills) == {IO}


def test_the_reference_itself_is_never_touched(places: Places) -> None:
    """Only a copy below the build folder is."""
    _judge(places, _mutant("return SIX", "return SIX + 1"))
    for name, text in SOURCES.items():
        assert (places.root / "ref" / name).read_text() == text


@pytest.mark.parametrize(("mutant", "told"), [
    (_mutant("nowhere", "x"), "occurs 0 times"),
    (_mutant("SIX", "x", "loop/six.h"), "occurs 1 times"),
    (_mutant("i", "x"), "times in ref/loop/six.c, not once"),
    (_mutant("return", "retrun"), "does not compile"),
    (_mutant("x", "y", "loop/none.c"), "there is no ref/loop/none.c"),
    (_mutant("main", "man", "apps/a.c"), "no part of the reference's"),
])
def test_a_mutant_that_does_not_apply_is_an_error_with_its_place(
    places: Places, mutant: Mutant, told: str
) -> None:
    """Never a silent kill."""
    if told == "occurs 1 times":
        (places.root / "ref/loop/six.h").write_text("SIX SIX")
        told = "occurs 2 times"
    with pytest.raises(MutantError) as error:
        _judge(places, mutant)
    assert told in str(error.value)
    assert error.value.place == "conformance/mutants/loop.yaml:7"


def test_a_case_that_the_clean_reference_fails_kills_nothing(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else everything would be killed by it."""
    monkeypatch.setenv("FAKE_CONFORM", "bad")
    with pytest.raises(MutantError, match="clean reference does not pass"):
        _judge(places, _mutant("return SIX", "return 1"))


GOOD = """\
- id: one
  file: loop/six.c
  find: a
  replace: b
  why: because
  killed-by: [loop/check/unordered-from-main]
"""


@pytest.mark.parametrize(("edit", "line", "told"), [
    (("why: because", "wy: because"), 1, "'why' is missing"),
    (("why: because", "why: x\n  also: y"), 1, "unknown key 'also'"),
    (("find: a", "find: 7"), 1, "every value is text"),
    (("find: a", "find: b"), 1, "are the same"),
    (("id: one", "id: One Two"), 1, "is no id"),
    (("[loop/check/unordered-from-main]", "[]"), 1, "names no case"),
    (("- id: one", "- 7\n- id: one"), 1, "is a mapping"),
    ((GOOD, GOOD + GOOD), 7, "here twice"),
    ((GOOD, "{}"), None, "a list of mutants"),
    ((GOOD, "- ["), None, "not YAML"),
])
def test_a_wrong_file_is_told_by_its_line(
    tmp_path: Path, edit: tuple[str, str], line: int | None, told: str
) -> None:
    """file:line, and what is wrong."""
    (tmp_path / "loop.yaml").write_text(GOOD.replace(*edit))
    with pytest.raises(MutantError) as error:
        read_mutants(tmp_path, "loop", "mutants")
    assert told in str(error.value)
    place = "mutants/loop.yaml"
    assert error.value.place == (place if line is None
                                 else f"{place}:{line}")


def test_a_case_that_does_not_exist_is_told(
    tmp_path: Path, places: Places
) -> None:
    """With the nearest one that does."""
    (tmp_path / "loop.yaml").write_text(GOOD.replace("from-main", "from-mian"))
    catalog = read_catalog(places.corpus, places.rules)
    with pytest.raises(MutantError, match=f"did you mean {MAIN}"):
        check_cases(read_mutants(tmp_path, "loop"), catalog)


def test_the_matrix_is_shown(places: Places) -> None:
    """Killed, survived, and killed by others than named."""
    first = _mutant("a", "b", killed_by=(IO, MAIN))
    verdicts = [
        Verdict(first, {IO: "fail", MAIN: "crash"}, ()),
        Verdict(_mutant("a", "b"), {}, (IO,)),
        Verdict(_mutant("a", "b"), {MAIN: "timeout"}, (IO,)),
    ]
    out = StringIO()
    console = Console(file=out, width=100, color_system=None)
    print_matrix(console, verdicts)
    samples.golden("mutants.txt", out.getvalue())


def test_the_compile_database_of_the_fixture_is_real(places: Places) -> None:
    """The tests above stand on it."""
    entries = json.loads(
        (places.build / "compile_commands.json").read_text()
    )
    assert len(entries) == 3
    assert textwrap.dedent(entries[0]["command"]).startswith("cc ")
