# SPDX-License-Identifier: MIT
"""A program as the JavaScript that a person would write for it.

It is a picture for readers who know Node better than the vocabulary; the
adapter interprets the vocabulary itself and never runs this text. What has no
function in JavaScript (handles, run modes) is written on an object `loop`,
and a comment at the top says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["javascript"]

Body = Sequence[Mapping[str, Any]]

_NOTES = {
    "block": "block(ms) keeps the thread busy.",
    "chain": "chain(kind, n, f): n callbacks of a kind, each scheduling the "
    "next; f runs in the last.",
    "each": "each(a, b, ...): the first call runs a, the second b, every "
    "further one the last.",
    "count": "count: how often the running callback has been called.",
    "elapsed": "elapsed(): milliseconds since the start.",
    "loop": "loop.*: the implementation's own handles; JavaScript has no "
    "functions for them.",
    "socket": "socketPair(): a connected pair within the process.",
}
_EVENTS = {
    "exit": ("exit", "code"),
    "before-exit": ("beforeExit", "code"),
    "uncaught": ("uncaughtException", "error"),
    "rejection": ("unhandledRejection", "error"),
    "rejection-handled": ("rejectionHandled", ""),
}
_CODE = "error ? error.code : 'ok'"
_VALUES = {
    "$count": ("count", "count"),
    "$elapsed": ("elapsed()", "elapsed"),
    "$now": ("loop.now()", "loop"),
    "$alive": ("loop.alive()", "loop"),
    "$timeout": ("loop.timeout()", "loop"),
}
_ASKED = {"active": "active", "closing": "closing", "hasref": "hasRef()"}
_RESERVED = {"break", "case", "class", "const", "default", "delete", "do",
             "else", "enum", "for", "function", "if", "in", "let", "new",
             "return", "switch", "this", "throw", "try", "typeof", "var",
             "void", "while", "with", "yield", "process", "loop", "log"}


def javascript(program: Mapping[str, Any]) -> str:
    """The whole program, with a comment for each helper that it uses."""
    return _Writer(program.get("main", [])).text()


def _quote(text: object) -> str:
    plain = isinstance(text, str) and "'" not in text
    quoted = json.dumps(text, ensure_ascii=False)
    if plain and '\\' not in quoted:
        return f"'{text}'"
    return quoted


def _name(text: str) -> str:
    word = re.sub(r"\W", "_", text)
    if not word or word[0].isdigit() or word in _RESERVED:
        return f"_{word}"
    return word


def _made(body: Body) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """id: (operation, its arguments) of everything that a body makes."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for operation in body:
        for name, args in operation.items():
            if not isinstance(args, Mapping):
                continue
            if isinstance(args.get("id"), str):
                found[args["id"]] = (name, args)
            for inner in (args.get("then", []), *args.get("each", [])):
                found.update(_made(inner))
    return found


class _Writer:
    """Writes one program; knows what its ids are and which notes it needs."""

    def __init__(self, main: Body) -> None:
        self._main = main
        self._made = _made(main)
        self._top = {
            args["id"]
            for operation in main
            for args in operation.values()
            if isinstance(args, Mapping) and isinstance(args.get("id"), str)
        }
        self._notes: set[str] = set()
        self._result = "result"

    def text(self) -> str:
        lines = self._body(self._main)
        nested = [_name(i) for i in self._made if i not in self._top]
        head = [f"// {_NOTES[note]}" for note in _NOTES
                if note in self._notes]
        if nested:
            head.append(f"let {', '.join(nested)};")
        return "\n".join([*head, *lines])

    def _body(self, body: Body) -> list[str]:
        lines: list[str] = []
        for operation in body:
            for name, args in operation.items():
                lines += self._operation(name, args)
        return lines

    def _operation(self, name: str, args: Any) -> list[str]:
        write: Callable[[Any], list[str]] | None = getattr(
            self, "_" + re.sub(r"\W", "_", name) + "_op", None
        )
        if write is not None:
            return write(args)
        if name in _HANDLES:
            return self._handle(name, args)
        return self._plain(name, args)

    # -- pieces ----------------------------------------------------------

    def _function(
        self, args: Mapping[str, Any], parameter: str = "", result: str = ""
    ) -> list[str]:
        """The callback of an operation, as the lines of an expression."""
        before, self._result = self._result, result or "undefined"
        if args.get("each"):
            self._notes.add("each")
            lines = ["each("]
            for body in args["each"]:
                inner = self._arrow(body, parameter)
                inner[-1] += ","
                lines += [f"  {line}" for line in inner]
            lines.append(")")
        else:
            lines = self._arrow(args.get("then", []), parameter)
        self._result = before
        return lines

    def _arrow(self, body: Body, parameter: str) -> list[str]:
        lines = self._body(body)
        if not lines:
            return [f"({parameter}) => {{}}"]
        return [f"({parameter}) => {{", *(f"  {l}" for l in lines), "}"]

    def _call(
        self,
        head: str,
        function: list[str],
        tail: str = ")",
        made: str | None = None,
    ) -> list[str]:
        """`head` + callback + `tail`, kept under its id where it has one."""
        lines = list(function)
        lines[0] = head + lines[0]
        lines[-1] += tail + ";"
        return self._keep(made, lines)

    def _keep(self, made: str | None, lines: list[str]) -> list[str]:
        if made is not None:
            const = "const " if made in self._top else ""
            lines[0] = f"{const}{_name(made)} = {lines[0]}"
        return lines

    def _value(self, value: Any) -> str:
        if not isinstance(value, str) or not value.startswith("$"):
            return _quote(value)
        if value == "$result":
            return self._result
        if value in _VALUES:
            text, note = _VALUES[value]
            self._notes.add(note)
            return text
        what, _, of = value[1:].partition(":")
        if of and what in _ASKED:
            return f"{_name(of)}.{_ASKED[what]}"
        return _quote(value)

    def _logged(self, args: Any, expression: str) -> list[str]:
        label = args.get("log") if isinstance(args, Mapping) else None
        if label is None:
            return [expression + ";"]
        return [f"log({_quote(label)}, {expression});"]

    def _options(self, args: Mapping[str, Any]) -> str:
        left = {k: v for k, v in args.items()
                if k not in ("id", "then", "each", "log", "of", "to")}
        if not left:
            return ""
        inside = ", ".join(f"{k}: {_quote(v)}" for k, v in left.items())
        return f"{{{inside}}}"

    def _plain(self, name: str, args: Any) -> list[str]:
        """An operation that this file does not know: shown as written."""
        if not isinstance(args, Mapping):
            return [f"{name}({_quote(args)});"]
        head = f"{name}({self._options(args) or '{}'}"
        if "then" in args or "each" in args:
            return self._call(head + ", ", self._function(args),
                              made=args.get("id"))
        return self._keep(args.get("id"), [head + ");"])

    def _handle(self, name: str, args: Mapping[str, Any]) -> list[str]:
        self._notes.add("loop")
        options = self._options(args)
        head = f"loop.{name}({options}{', ' if options else ''}"
        return self._call(head, self._function(args, result="result"),
                          made=args.get("id"))

    # -- what Node has functions for -------------------------------------

    def _log_op(self, args: Any) -> list[str]:
        if isinstance(args, list):
            return [f"log({_quote(args[0])}, {self._value(args[1])});"]
        return [f"log({_quote(args)});"]

    def _block_op(self, args: Any) -> list[str]:
        self._notes.add("block")
        return [f"block({args});"]

    def _chain_op(self, args: Mapping[str, Any]) -> list[str]:
        self._notes.add("chain")
        head = f"chain({_quote(args['of'])}, {args['length']}, "
        return self._call(head, self._function(args))

    def _timed(self, function: str, args: Mapping[str, Any], key: str
               ) -> list[str]:
        time = args.get(key, "undefined")
        return self._call(f"{function}(", self._function(args),
                          f", {time})", args.get("id"))

    def _timeout_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._timed("setTimeout", args, "after")

    def _interval_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._timed("setInterval", args, "every")

    def _immediate_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call("setImmediate(", self._function(args),
                          made=args.get("id"))

    def _tick_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call("process.nextTick(", self._function(args))

    def _microtask_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call("queueMicrotask(", self._function(args))

    def _clear_op(self, args: str) -> list[str]:
        kind = self._made.get(args, ("timeout", {}))[0]
        return [f"clear{kind.capitalize()}({_name(args)});"]

    def _refresh_op(self, args: str) -> list[str]:
        return [f"{_name(args)}.refresh();"]

    def _ref_op(self, args: str) -> list[str]:
        return [f"{_name(args)}.ref();"]

    def _unref_op(self, args: str) -> list[str]:
        return [f"{_name(args)}.unref();"]

    def _fs_stat_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call(
            f"fs.stat({_quote(args['path'])}, ",
            self._function(args, "error", _CODE),
            made=args.get("id"),
        )

    def _signal_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call(f"process.on({_quote(args['signal'])}, ",
                          self._function(args, "signal", "signal"),
                          made=args.get("id"))

    def _raise_op(self, args: str) -> list[str]:
        return [f"process.kill(process.pid, {_quote(args)});"]

    def _socket_op(self, args: Mapping[str, Any]) -> list[str]:
        self._notes.add("socket")
        return self._call("socketPair().on('close', ", self._function(args),
                          made=args.get("id"))

    def _socket_destroy_op(self, args: str) -> list[str]:
        return [f"{_name(args)}.destroy();"]

    def _channel_op(self, args: Mapping[str, Any]) -> list[str]:
        lines = self._keep(args["id"], ["new MessageChannel();"])
        head = f"{_name(args['id'])}.port2.on('message', "
        return lines + self._call(
            head, self._function(args, "message", "message")
        )

    def _post_op(self, args: Mapping[str, Any]) -> list[str]:
        value = _quote(args["value"]) if "value" in args else ""
        return [f"{_name(args['to'])}.port1.postMessage({value});"]

    def _channel_close_op(self, args: str) -> list[str]:
        return [f"{_name(args)}.port1.close();"]

    def _throw_op(self, args: str) -> list[str]:
        return [f"throw new Error({_quote(args)});"]

    def _reject_op(self, args: Mapping[str, Any]) -> list[str]:
        made = f"Promise.reject(new Error({_quote(args['message'])}));"
        return self._keep(args.get("id"), [made])

    def _handle_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._call(f"{_name(args['of'])}.catch(",
                          self._function(args, "error", "error.message"))

    def _listener_op(self, args: Mapping[str, Any]) -> list[str]:
        event, parameter = _EVENTS.get(args["event"], (args["event"], ""))
        result = "error.message" if parameter == "error" else parameter
        return self._call(f"process.on({_quote(event)}, ",
                          self._function(args, parameter, result))

    def _exit_op(self, args: Any) -> list[str]:
        code = "" if isinstance(args, Mapping) else args
        return [f"process.exit({code});"]

    def _exit_code_op(self, args: Any) -> list[str]:
        return [f"process.exitCode = {args};"]

    # -- what only a loop has --------------------------------------------

    def _method(self, of: str, method: str, args: Any) -> list[str]:
        self._notes.add("loop")
        options = self._options(args) if isinstance(args, Mapping) else ""
        return self._logged(args, f"{_name(of)}.{method}({options})")

    def _timer_start_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._method(args["of"], "start", args)

    def _timer_again_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._method(args["of"], "again", args)

    def _timer_set_repeat_op(self, args: Mapping[str, Any]) -> list[str]:
        return [f"{_name(args['of'])}.repeat = {args['repeat']};"]

    def _start_op(self, args: str) -> list[str]:
        return self._method(args, "start", args)

    def _stop_op(self, args: str) -> list[str]:
        return self._method(args, "stop", args)

    def _async_send_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._method(args["to"], "send", args)

    def _poll_write_op(self, args: str) -> list[str]:
        return self._method(args, "write", args)

    def _cancel_op(self, args: Mapping[str, Any]) -> list[str]:
        return self._method(args["of"], "cancel", args)

    def _work_op(self, args: Mapping[str, Any]) -> list[str]:
        self._notes.add("loop")
        options = self._options(args)
        head = f"loop.work({options}{', ' if options else ''}"
        return self._call(head, self._function(args, "error", _CODE),
                          made=args.get("id"))

    def _close_op(self, args: Mapping[str, Any]) -> list[str]:
        if args.get("log") is not None:
            return self._method(args["of"], "close", args)
        self._notes.add("loop")
        body = self._function(args) if ("then" in args or "each" in args
                                        ) else [""]
        return self._call(f"{_name(args['of'])}.close(", body)

    def _run_op(self, args: Mapping[str, Any]) -> list[str]:
        self._notes.add("loop")
        return self._logged(args, f"loop.run({_quote(args['mode'])})")

    def _stop_loop_op(self, args: Any) -> list[str]:
        self._notes.add("loop")
        return ["loop.stop();"]

    def _update_time_op(self, args: Any) -> list[str]:
        self._notes.add("loop")
        return ["loop.updateTime();"]


_HANDLES = {"timer", "idle", "prepare", "check", "async", "poll"}
