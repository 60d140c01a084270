# SPDX-License-Identifier: MIT
"""Programs of several processes: what of them the build refuses, and what it
makes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.corpus import program_to_js

GOOD = """\
rule: LOOP-A-1
cases:
  - id: x
    matrix: {n: [1]}
    roles:
      primary:
        - repeat: {times: 2, do: [{fork: {id: w$i, role: worker}}]}
        - fork: {role: peer}
        - log: [a, "{n}"]
      worker: [{log: b}, {parent.on: {event: message, then: [{log: c}]}}]
      peer: [{wire.send: {json: {x: 1}}}, {wire.line: {log: d}}, {exit: 1}]
    expect:
      - [a, 1]
      - interleave: [[w0.b, w0.c], [w1.b, w1.c], [[peer.d, "1"]]]
"""

# Title, the keys of a case from line 4 on, what is told.
WRONG = [
    ("program and roles",
     "program: [{log: a}]\nroles: {primary: [{log: a}]}\nexpect: [a]",
     ["3: this case has `program` and `roles`; write one of `program: ...` "
      "and `roles: ...`"]),
    ("neither", "expect: [a]", [
        "3: this case has no key `program`; write one of `program: ...` and "
        "`roles: ...`"]),
    ("no primary", "roles: {worker: [{log: a}]}\nexpect: [a]", [
        "4: `roles` has no key `primary`; write `primary: ...`"]),
    ("a role that nothing starts",
     "roles:\n  primary: [{log: a}]\n  worker: [{log: b}]\nexpect: [a]",
     ["6: nothing starts the role `worker`; start it, or remove it"]),
    ("no such role",
     "roles:\n  primary: [{fork: {role: worke}}, {log: a}]\nexpect: [a]",
     ["5: no role `worke`; known: `primary`"]),
    ("a peer's operation elsewhere",
     "roles: {primary: [{wire.line: {log: a}}]}\nexpect: [[a, '1']]",
     ["4: `wire.line` stands in no peer; it may stand in a role called "
      "`peer`, `peer-2` only"]),
    ("another's operation in a peer",
     "roles:\n  primary: [{fork: {role: peer}}]\n"
     "  peer:\n    - timeout: {}\nexpect: []",
     ["7: a peer does not know `timeout`; its operations are those marked so, "
      "log and exit"]),
    ("a child's label without its id",
     "roles:\n  primary: [{fork: {id: w, role: worker}}]\n"
     "  worker: [{log: a}]\nexpect: [a]",
     ["7: the label `a` is expected, but the program cannot log it; known: "
      "`w.a`, `exit` or `signal`"]),
    ("a child's label that nobody expects",
     "roles:\n  primary: [{fork: {id: w, role: worker}}]\n"
     "  worker: [{log: a}]\nexpect: []",
     ["6: the label `w.a` is logged, but no expectation mentions it; expect "
      "it, or call it `never-a` if it must not appear"]),
    ("an id of another process",
     "roles:\n  primary: [{fork: {id: w, role: worker}}]\n"
     "  worker: [{kill: {of: w}}]\nexpect: []",
     ["6: `kill` names `w`, which no operation of the program makes; give an "
      "operation `id: w`"]),
    ("files that are programs",
     "roles: {primary: [{log: a}]}\nfiles: {a.js: {module: []}}\nexpect: [a]",
     ["5: files that are programs, in a case with roles; write them as "
      "texts"]),
]


def test_roles_become_parts_of_the_program(
    read: Callable[[str], Any],
) -> None:
    """primary is main; the others stand beside it, families written out."""
    (case,), problems = read(GOOD.replace("id: x", 'id: "x-{n}"'))
    assert [str(p) for p in problems.found] == []
    assert case.isolation == "process"
    assert case.timeout_ms == 20000
    assert case.needs == ("process.roles", "ipc.channel")
    record = case.record()
    assert [*record["program"]["roles"]] == ["worker", "peer"]
    assert record["program"]["main"][1] == {
        "fork": {"id": "w1", "role": "worker"}}
    assert record["expect"]["seq"][-1] == {"ev": "exit", "value": {"is": 0}}
    assert "function workerRole() {" in program_to_js(record["program"])


@pytest.mark.parametrize(
    ("body", "told"), [row[1:] for row in WRONG], ids=[r[0] for r in WRONG])
def test_what_is_wrong_with_roles_is_told(
    about: Callable[[str], list[str]], body: str, told: list[str],
) -> None:
    """Each mistake has its line and a way to mend it."""
    assert about(body) == [f"x.yaml:{line}" for line in told]


def test_never_is_read_after_the_id_of_a_child(
    about: Callable[[str], list[str]],
) -> None:
    """A child says `never` of its own label."""
    assert about(
        "roles:\n  primary: [{fork: {id: w, role: worker}}, {log: a}]\n"
        "  worker: [{log: never}]\nexpect: [a]") == []
