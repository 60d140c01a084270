# SPDX-License-Identifier: MIT
"""A compiled program as JavaScript that a person can read.

What Node offers is written as Node's; handles that only a loop library has
are methods of `loop`. It is for reading: adapters perform the program itself.
Invariant: the text is valid JavaScript whatever the program is; an operation
that is not known here becomes a call of perform().
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["program_to_js"]

Args = Mapping[str, Any]

_RESERVED = frozenset(
    "await block break buffer case catch chain channel class connectedSocket const "
    "continue count debugger default delete do each elapsed else enum export "
    "extends false finally flow for fs function heap if implements import in instanceof "
    "interface leak let log loop new null package perform private process protected "
    "public queue queueMicrotask result return static super switch this throw true "
    "try typeof undefined var void while with yield".split()
)
_HANDLES = ("timer", "idle", "prepare", "check", "async", "poll", "work")
_CLEAR = {"timeout": "clearTimeout", "interval": "clearInterval",
          "immediate": "clearImmediate"}
_EVENTS = {"before-exit": "beforeExit", "uncaught": "uncaughtException",
           "rejection": "unhandledRejection",
           "rejection-handled": "rejectionHandled"}
_VALUES = {"$result": "result", "$count": "count", "$elapsed": "elapsed()",
           "$now": "loop.now()", "$alive": "loop.alive()",
           "$timeout": "loop.pollTimeout()"}
_METHODS = {"$active": "isActive", "$closing": "isClosing",
            "$hasref": "hasRef"}


_OBJECTS = frozenset("of from to as in key value keeps token over holds and "
                     "into".split())


def _camel(name: str) -> str:
    """`heap.table.set-limit` as `heap.table.setLimit`."""
    return re.sub(r"-([a-z])", lambda found: found[1].upper(), name)


def _json(value: Any) -> str:
    if isinstance(value, str):
        # U+2028 and U+2029 are fine inside JavaScript strings since 2019.
        body = json.dumps(value, ensure_ascii=False)[1:-1]
        return "'" + body.replace('\\"', '"').replace("'", "\\'") + "'"
    return json.dumps(value, ensure_ascii=False)


def _options(args: Args, keys: Sequence[str]) -> str:
    """{after: 1, repeat: 2}, of the keys that stand there; or nothing."""
    parts = [f"{key}: {_json(args[key])}" for key in keys if key in args]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _delay(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _definitions(
    ops: Sequence[Any], main: bool = True
) -> Iterator[tuple[str, str, bool]]:
    """Id, kind and whether in main, of everything a body makes."""
    for op in ops:
        for name, args in op.items():
            if not isinstance(args, Mapping):
                continue
            if isinstance(args.get("id"), str):
                yield args["id"], name, main
            others = [args[key] for key in ("do", "drained", "idle")
                      if isinstance(args.get(key), list)]
            for body in [args.get("then", []), *args.get("each", []), *others]:
                yield from _definitions(body, False)


class _Writer:
    def __init__(self, main: Sequence[Any]) -> None:
        self.kinds: dict[str, str] = {}
        self.hoisted: list[str] = []
        self.names: dict[str, str] = {}
        self.made: set[str] = set()
        self.events: dict[str, str] = {}  # of listeners
        for id, kind, in_main in _definitions(main):
            if not in_main and id not in self.kinds:
                self.hoisted.append(id)
            self.kinds.setdefault(id, kind)

    def program(self, main: Sequence[Any]) -> list[str]:
        lines = self.body(main)
        if self.hoisted:
            declared = ", ".join(self.name(id) for id in self.hoisted)
            lines.insert(0, f"let {declared};")
        return lines

    # -- names and values --------------------------------------------------

    def name(self, id: str) -> str:
        """The identifier of an id; two ids never share one."""
        if id in self.names:
            return self.names[id]
        plain = re.sub(r"[^A-Za-z0-9]+([A-Za-z0-9]?)",
                       lambda m: m[1].upper(), str(id)) or "x"
        name = plain if plain[0].isalpha() else f"x{plain}"
        while name in _RESERVED or name in self.names.values():
            name += "_"
        self.names[id] = name
        return name

    def value(self, value: Any) -> str:
        if not isinstance(value, str) or not value.startswith("$"):
            return _json(value)
        head, _, id = value.partition(":")
        if head in _METHODS and id:
            return f"{self.name(id)}.{_METHODS[head]}()"
        return _VALUES.get(value) or _json(value)

    # -- bodies ------------------------------------------------------------

    def body(self, ops: Sequence[Any]) -> list[str]:
        lines: list[str] = []
        for op in ops:
            (name, value), = op.items()
            lines += self.operation(name, value)
        return lines

    def function(self, ops: Sequence[Any]) -> list[str]:
        """An arrow function with the parameters that its body uses itself."""
        used = {value for op in ops for key, value in op.items()
                if key == "log" for value in [_logged(value)]}
        parameters = "result, count" if "$count" in used else (
            "result" if "$result" in used else "")
        if not ops:
            return [f"({parameters}) => {{}}"]
        inner = self.body(ops)
        if len(inner) == 1 and len(inner[0]) <= 60:
            return [f"({parameters}) => {{ {inner[0]} }}"]
        return [f"({parameters}) => {{",
                *(f"  {line}" for line in inner), "}"]

    def callback(self, args: Args) -> list[str]:
        """The callback of an operation: `then`, or one function a call."""
        if "each" not in args:
            return self.function(args.get("then", []))
        lines = ["each("]
        for body in args["each"]:
            part = [f"  {line}" for line in self.function(body)]
            part[-1] += ","
            lines += part
        return [*lines, ")"]

    @staticmethod
    def call(head: str, callback: list[str], tail: str = ");") -> list[str]:
        """head(callback tail, over as many lines as the callback has."""
        lines = list(callback)
        lines[0] = head + lines[0]
        lines[-1] += tail
        return lines

    def assigned(self, args: Args) -> str:
        """`const x = ` where an operation has an id."""
        id = args.get("id")
        if not isinstance(id, str):
            return ""
        declared = id in self.hoisted or id in self.made
        self.made.add(id)
        if declared:
            return f"{self.name(id)} = "
        return f"const {self.name(id)} = "

    def logged(self, args: Args, expression: str) -> list[str]:
        """A call whose outcome is logged when the operation says so."""
        if "log" in args:
            return [f"log({_json(args['log'])}, {expression});"]
        return [f"{expression};"]

    # -- operations --------------------------------------------------------

    def operation(self, name: str, value: Any) -> list[str]:
        plain: Mapping[str, Callable[[], str]] = {
            "block": lambda: f"block({_json(value)});",
            "clear": lambda: f"{self.clear(value)}({self.name(value)});",
            "refresh": lambda: f"{self.name(value)}.refresh();",
            "start": lambda: f"{self.name(value)}.start();",
            "stop": lambda: f"{self.name(value)}.stop();",
            "poll.write": lambda: f"{self.name(value)}.write();",
            "ref": lambda: f"{self.name(value)}.ref();",
            "unref": lambda: f"{self.name(value)}.unref();",
            "raise": lambda: f"process.kill(process.pid, {_json(value)});",
            "stop-loop": lambda: "loop.stop();",
            "update-time": lambda: "loop.updateTime();",
            "socket.destroy": lambda: f"{self.name(value)}.destroy();",
            "channel.close": lambda: f"{self.name(value)}.port1.close();",
            "throw": lambda: f"throw new Error({_json(value)});",
            "exit-code": lambda: f"process.exitCode = {_json(value)};",
            "exit": lambda: "process.exit("
            f"{'' if isinstance(value, Mapping) else _json(value)});",
        }
        if name == "log":
            return [self.log(value)]
        if name.startswith(("heap.", "buffer.", "leak.")):
            return self.memory(name, value)
        if name in plain:
            return [plain[name]()]
        if isinstance(value, Mapping):
            known = self.writers().get(name)
            if known:
                return known(value)
            if name in _HANDLES:
                return self.handle(name, value)
        return self.performed(name, value)

    def performed(self, name: str, value: Any) -> list[str]:
        """An operation that has no writer here, with its callback."""
        if not isinstance(value, Mapping):
            return [f"perform({_json(name)}, {_json(value)});"]
        plain = {key: part for key, part in value.items()
                 if key not in ("id", "then", "each")}
        head = f"{self.assigned(value)}perform({_json(name)}, {_json(plain)}"
        if not value.get("then") and not value.get("each"):
            return [f"{head});"]
        return self.call(f"{head}, ", self.callback(value))

    def memory(self, name: str, value: Any) -> list[str]:
        """An operation on memory: a method of what it is about, or of `heap`.

        `heap.link: {from: a, slot: 0, to: b}` is `a.s0 = b;`, and what has no
        shorter form is `heap.collect({kind: 'minor'});`.
        """
        if not isinstance(value, Mapping):
            return [f"{self.name(value)} = null;"]
        made = self.assigned(value).replace("const ", "let ", 1)
        short = self.memory_writers().get(name)
        if short and made:
            return [f"{made}{short(value)};"]
        if short:
            return self.logged(value, short(value))
        inner = ", ".join(
            f"{_camel(key)}: {self.argument(key, part)}" for key, part in value.items()
            if key not in ("id", "log", "then", "each"))
        head = f"{made}{_camel(name)}("
        options = f"{{{inner}}}" if inner else ""
        if value.get("then") or value.get("each"):
            return self.call(head + (f"{options}, " if options else ""),
                             self.callback(value))
        if made:
            return [f"{head}{options});"]
        return self.logged(value, f"{_camel(name)}({options})")

    def argument(self, key: str, part: Any) -> str:
        """A member of an argument: an object by its name, else a value."""
        if key in _OBJECTS and isinstance(part, str) and part in self.kinds:
            return self.name(part)
        return _json(part)

    def memory_writers(self) -> Mapping[str, Callable[[Args], str]]:
        """Operations that JavaScript has a form of its own for."""
        def slot(of: Any, number: Any) -> str:
            return f"{self.name(of)}.s{number}"
        return {
            "heap.link": lambda a: f"{slot(a['from'], a['slot'])} = " + (
                self.name(a["to"]) if "to" in a else "null"),
            "heap.get": lambda a: slot(a["of"], a["slot"]),
            "heap.same": lambda a:
                f"{self.name(a['of'])} === {self.name(a['as'])}",
            "heap.weak": lambda a: f"new WeakRef({self.name(a['of'])})",
            "heap.deref": lambda a:
                f"{self.name(a['of'])}.deref() !== undefined",
            "heap.table.has": lambda a:
                f"{self.name(a['in'])}.has({self.name(a['key'])})",
            "heap.table.delete": lambda a:
                f"{self.name(a['in'])}.delete({self.name(a['key'])})",
            "heap.unregister": lambda a:
                f"{self.name(a['in'])}.unregister({self.name(a['token'])})",
            "buffer.set": lambda a:
                f"{self.name(a['of'])}[{a['at']}] = {_json(a['value'])}",
            "buffer.get": lambda a: f"{self.name(a['of'])}[{a['at']}]",
            "buffer.same-store": lambda a:
                f"{self.name(a['of'])}.buffer === {self.name(a['as'])}.buffer",
        }

    def writers(self) -> Mapping[str, Callable[[Args], list[str]]]:
        return {
            "timeout": lambda a: self.timer("setTimeout", a, a.get("after")),
            "interval": lambda a: self.timer("setInterval", a,
                                             a.get("every")),
            "immediate": lambda a: self.call(
                f"{self.assigned(a)}setImmediate(", self.callback(a)),
            "tick": lambda a: self.call("process.nextTick(",
                                        self.callback(a)),
            "microtask": lambda a: self.call("queueMicrotask(",
                                             self.callback(a)),
            "chain": lambda a: self.call(
                f"chain({_json(a['of'])}, {_json(a['length'])}, ",
                self.callback(a)),
            "fs.stat": lambda a: self.call(
                f"{self.assigned(a)}fs.stat({_json(a['path'])}, ",
                self.callback(a)),
            "timer.start": lambda a: self.logged(
                a, f"{self.name(a['of'])}.start("
                f"{_options(a, ('after', 'repeat'))})"),
            "timer.again": lambda a: self.logged(
                a, f"{self.name(a['of'])}.again()"),
            "timer.set-repeat": lambda a: [
                f"{self.name(a['of'])}.setRepeat("
                f"{_json(a.get('repeat', 0))});"],
            "async.send": lambda a: [
                f"{self.name(a['to'])}.send("
                f"{_options(a, ('times', 'threads'))});"],
            "signal": lambda a: self.call(
                f"{self.assigned(a)}loop.signal({_json(a['signal'])}, ",
                self.callback(a)),
            "cancel": lambda a: self.logged(
                a, f"{self.name(a['of'])}.cancel()"),
            "close": self.close,
            "run": lambda a: self.logged(
                a, f"loop.run({_json(a['mode'])})"),
            "socket": lambda a: [
                f"{self.assigned(a)}connectedSocket();",
                *self.call(f"{self.name(a['id'])}.on('close', ",
                           self.callback(a))],
            "channel": lambda a: [
                f"{self.assigned(a)}new MessageChannel();",
                *self.call(f"{self.name(a['id'])}.port2.on('message', ",
                           self.callback(a))],
            "post": lambda a: [f"{self.name(a['to'])}.port1.postMessage("
                               f"{_json(a.get('value'))});"],
            "reject": lambda a: [f"{self.assigned(a)}Promise.reject("
                                 f"new Error({_json(a['message'])}));"],
            "handle": lambda a: self.call(f"{self.name(a['of'])}.catch(",
                                          self.callback(a)),
            "listener": lambda a: self.call(
                "process.on("
                f"{_json(_EVENTS.get(a['event'], a['event']))}, ",
                self.callback(a)),
            **self.flow_writers,
        }

    @property
    def flow_writers(self) -> Mapping[str, Callable[[Args], list[str]]]:
        """Emitters are Node's; flow() and queue() stand for who has them."""
        return {
            "emitter": lambda a: [
                f"{self.assigned(a)}new EventEmitter()" + (
                    f".setMaxListeners({_json(a['most'])});"
                    if "most" in a else ";")],
            "emitter.on": self.listen,
            "emitter.off": lambda a: [
                f"{self.name(a['of'])}.removeListener("
                f"{_json(a.get('event', self.events.get(a['listener'], '')))}"
                f", {self.name(a['listener'])});" if "listener" in a else
                f"{self.name(a['of'])}.removeAllListeners("
                f"{_json(a['event']) if 'event' in a else ''});"],
            "emitter.emit": lambda a: self.logged(
                a, f"{self.name(a['of'])}.emit({_json(a['event'])}" + (
                    f", {_json(a['value'])})" if "value" in a else ")")),
            "emitter.show": lambda a: self.logged(
                a, f"{self.name(a['of'])}." + {
                    "count": f"listenerCount({_json(a.get('event', ''))})",
                    "names": "eventNames().join()",
                    "most": "getMaxListeners()"}[a["show"]]),
            "emitter.most": lambda a: [
                f"{self.name(a['of'])}.setMaxListeners({_json(a['most'])});"],
            "flow.throw": lambda a: [
                f"throw new Error({_json(a['message'])});"],
            "flow": lambda a: self.call(
                f"{self.assigned(a)}flow({_json(a['how'])}, "
                f"{_options(a, ('limit',)) or '{}'}, ", self.callback(a)),
            "flow.task": lambda a: self.call(
                f"{self.assigned(a)}{self.name(a['of'])}.task(",
                self.function(a["do"])),
            "flow.start": lambda a: [f"{self.name(a['of'])}.start();"],
            "settle": lambda a: self.logged(
                a, f"{self.name(a['of'])}.settle("
                f"{_options(a, ('value', 'error'))})"),
            "queue": self.queue,
            "queue.push": self.push,
            "queue.drop": lambda a: self.logged(
                a, f"{self.name(a['of'])}.drop()"),
            "queue.jobs": lambda a: self.logged(
                a, f"{self.name(a['of'])}.count({_json(a['state'])})"),
        }

    def listen(self, args: Args) -> list[str]:
        """emitter.on and its like; a listener that is used again has a name."""
        how = ("prependOnceListener" if args.get("once")
               else "prependListener") if args.get("prepend") else (
                   "once" if args.get("once") else "on")
        head = f"{self.name(args['of'])}.{how}({_json(args['event'])}, "
        if "listener" in args:
            return [f"{head}{self.name(args['listener'])});"]
        if "id" not in args:
            return self.call(head, self.callback(args))
        self.events.setdefault(args["id"], args["event"])
        return [*self.call(self.assigned(args), self.callback(args), ";"),
                f"{head}{self.name(args['id'])});"]

    def queue(self, args: Args) -> list[str]:
        options = _options(args, ("limit", "high", "capacity", "timeout"))
        lines = [f"{self.assigned(args)}queue({options});"]
        for event in ("drained", "idle"):
            if event in args:
                lines += self.call(
                    f"{self.name(args['id'])}.on({_json(event)}, ",
                    self.function(args[event]))
        return lines

    def push(self, args: Args) -> list[str]:
        """What the job does, and what is called when it has ended."""
        lines = self.function(args["do"])
        if "then" in args or "each" in args:
            ended = self.callback(args)
            lines = [*lines[:-1], f"{lines[-1]}, {ended[0]}", *ended[1:]]
        push = f"{self.name(args['of'])}.push("
        if "log" not in args:
            return self.call(f"{self.assigned(args)}{push}", lines)
        if "id" not in args:
            return self.call(f"log({_json(args['log'])}, {push}", lines,
                             ").said);")
        return [*self.call(f"{self.assigned(args)}{push}", lines),
                f"log({_json(args['log'])}, {self.name(args['id'])}.said);"]

    def clear(self, id: Any) -> str:
        return _CLEAR.get(self.kinds.get(id, ""), "clearTimeout")

    def log(self, value: Any) -> str:
        if isinstance(value, list) and len(value) == 2:
            return f"log({_json(value[0])}, {self.value(value[1])});"
        return f"log({_json(value)});"

    def timer(self, function: str, args: Args, delay: Any) -> list[str]:
        tail = ");" if delay is None else f", {_delay(delay)});"
        return self.call(f"{self.assigned(args)}{function}(",
                         self.callback(args), tail)

    def handle(self, kind: str, args: Args) -> list[str]:
        """A handle of the loop, made, or a timer that is started anew."""
        keys = [k for k in args if k not in ("id", "then", "each")]
        options = _options(args, keys)
        again = kind == "timer" and args.get("id") in self.made
        head = f"{self.name(args['id'])}.start(" if again else (
            f"{self.assigned(args)}loop.{kind}(")
        if not args.get("then") and not args.get("each"):
            return [f"{head}{options});"]
        return self.call(head + (f"{options}, " if options else ""),
                         self.callback(args))

    def close(self, args: Args) -> list[str]:
        name = f"{self.name(args['of'])}.close("
        callback = self.callback(args) if (
            args.get("then") or args.get("each")) else [""]
        if "log" in args:
            return self.call(f"log({_json(args['log'])}, {name}", callback,
                             "));")
        return self.call(name, callback)


def _logged(value: Any) -> str:
    """The name that a log's value is, or ""."""
    if isinstance(value, list) and len(value) == 2:
        return value[1] if isinstance(value[1], str) else ""
    return ""


def program_to_js(program: Mapping[str, Any]) -> str:
    """A compiled program, {"main": [...]}, as JavaScript; the bodies of its
    modules follow, each as a function of its number, and the other roles of
    several processes, each as a function of its name."""
    main = program["main"]
    lines = _Writer(main).program(main)
    for number, body in enumerate(program.get("bodies", [])):
        ops = body["do"] if isinstance(body, Mapping) else body
        lines += ["", f"function body{number}() {{",
                  *(f"  {line}" for line in _Writer(ops).program(ops)), "}"]
    for role, ops in program.get("roles", {}).items():
        name = re.sub(r"-(.?)", lambda m: m[1].upper(), role)
        lines += ["", f"function {name}Role() {{",
                  *(f"  {line}" for line in _Writer(ops).program(ops)), "}"]
    return "\n".join(lines)
