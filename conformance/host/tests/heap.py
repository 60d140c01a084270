# SPDX-License-Identifier: MIT
"""Programs about memory: evidence, what is refused, what is left over.

Usage: heap.py PLUMB-HOST PROVIDER.so, with a provider that has a heap and
buffers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from typing import Any

HOST: str
PROVIDER: str

Program = list[dict[str, Any]]


def ask(*programs: Program, stream: bool = False) -> list[dict[str, Any]]:
    """The answers to these mains, all of one process."""
    commands: list[object] = [{"cmd": "start", "protocol": 1}]
    commands += [
        {"cmd": "run", "seq": seq, "program": {"main": main},
         **({"stream": True} if stream else {})}
        for seq, main in enumerate(programs)
    ]
    done = subprocess.run(
        [HOST, PROVIDER], capture_output=True, text=True, timeout=300,
        input="".join(json.dumps(command) + "\n" for command in commands))
    return [json.loads(line) for line in done.stdout.splitlines()[1:]]


def alloc(id: str, **more: Any) -> dict[str, Any]:
    return {"heap.alloc": {"id": id, **more}}


def collect(kind: str) -> dict[str, Any]:
    return {"heap.collect": {"kind": kind}}


class Memory(unittest.TestCase):
    """What the cases of the corpus do not ask of the host itself."""

    def refused(self, main: Program, message: str) -> None:
        self.assertEqual(ask(main)[0]["error"]["message"], message)

    def test_evidence_counts_collections_that_took_garbage(self) -> None:
        answer, = ask([collect("minor"), collect("major"),
                       collect("compact")])
        self.assertEqual(answer["evidence"], {"minor": 1, "major": 2})

    def test_a_streamed_program_tells_events_and_evidence(self) -> None:
        answers = ask([alloc("a", log="x"), collect("major")], stream=True)
        self.assertEqual(answers[0], {"seq": 0, "event": ["x", "ok"]})
        self.assertEqual(answers[1]["evidence"], {"minor": 0, "major": 1})

    def test_a_fault_names_its_place(self) -> None:
        self.refused([alloc("a"), {"heap.link": {"from": "a", "slot": -1}}],
                     "main[1].heap.link.slot: is not what may stand there")
        self.refused([{"heap.frame": {"holds": "a", "then": [{"log": 1}]}},
                      alloc("a")],
                     "main[0].heap.frame.then[0].log: an event is a label or "
                     "[label, value]")
        self.refused([alloc("a", slot=1)],
                     "main[0].heap.alloc: unknown key `slot`")
        self.refused([alloc("a", space="new")],
                     "main[0].heap.alloc.space: is not what may stand there")
        self.refused([{"heap.drop": "b"}],
                     "main[0].heap.drop: `b` is made by no operation")
        self.refused([{"heap.registry": {"id": "r", "then": [], "each": []}}],
                     "main[0].heap.registry: has both `then` and `each`")

    def test_what_the_loop_does_is_unsupported_beside_memory(self) -> None:
        answer, = ask([alloc("a"), {"timeout": {}}])
        self.assertEqual(answer["unsupported"], "operation `timeout`")
        answer, = ask([alloc("a"), {"log": ["x", "$elapsed"]}])
        self.assertIn("unsupported", answer)

    def test_what_is_no_root_any_more_is_told(self) -> None:
        link = {"heap.link": {"from": "a", "slot": 0}}
        self.refused([alloc("a"), {"heap.drop": "a"}, link],
                     "`a` is a root no longer")
        self.refused([link, alloc("a")], "`a` is used before it is made")

    def test_the_heap_is_made_as_it_is_configured_or_not_at_all(self) -> None:
        self.refused([alloc("a"), {"heap.config": {"semi": 1}}],
                     "`heap.config` comes first")

    def test_an_id_that_is_made_again_names_the_new_object(self) -> None:
        answer, = ask([alloc("a"), alloc("b"), alloc("a"), collect("major"), {
            "heap.same": {"of": "a", "as": "b", "log": "same"}}])
        self.assertEqual(answer["events"], [["same", False]])

    def test_programs_leave_nothing_to_the_next(self) -> None:
        main: Program = [
            {"heap.registry": {"id": "r", "then": [{"log": "gone"}]}},
            alloc("a", external=5000), {"heap.register": {"in": "r",
                                                          "of": "a"}},
            {"heap.table": {"id": "t", "kind": "weak-map"}},
            {"heap.table.set": {"in": "t", "key": "a", "value": "a"}},
            {"buffer.alloc": {"id": "b", "length": 10, "how": "unsafe"}},
            {"heap.weak": {"id": "w", "of": "a"}},
            {"heap.usage": {"figure": "external", "log": "external"}},
        ]
        answers = ask(*[main] * 50)
        self.assertEqual({json.dumps(a["events"]) for a in answers},
                         {'[["external", 13192]]'})

    def test_deep_bodies_and_many_ids_are_read(self) -> None:
        main: Program = [alloc(f"o{i}") for i in range(5000)]
        body: Program = [{"log": "inside"}]
        for _ in range(20):
            body = [{"heap.frame": {"holds": "o0", "then": body}}]
        answer, = ask(main + body)
        self.assertEqual(answer["events"], ["inside"])


if __name__ == "__main__":
    HOST, PROVIDER = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
