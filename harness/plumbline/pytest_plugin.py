# SPDX-License-Identifier: MIT
"""A pytest plugin: one item per case and implementation.

    pytest --plumb-impl node conformance/cases/loop -k immediate

Items are collected from the case files through the compiled corpus. The judge
runs once per implementation, over exactly the items that are left after -k
and node ids, when the first of them is due; every item then reports its own
case. Verdicts are the judge's: an unexpected one fails, a known failure is
an xfail, and what is unsupported or disputed is skipped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plumbline.catalog import Case, Catalog, read_catalog
from plumbline.errors import PlumblineError, RunError
from plumbline.judge import Outcome, Request, judge, reproduce
from plumbline.places import Places, find_places
from plumbline.registry import (
    Target,
    own_adapter,
    own_provider,
    read_registry,
    resolve_all,
)
from plumbline.results import CaseResult, show_event
from plumbline.table import violation

__all__: list[str] = []


@dataclass
class _Session:
    """What all items of one pytest run share."""

    places: Places
    catalog: Catalog
    targets: list[Target]
    request: Request
    # spec: the cases that are wanted, and what the judge made of them
    wanted: dict[str, list[str]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    by_file: dict[str, list[Case]] = field(default_factory=dict)

    def outcome(self, target: Target) -> Outcome:
        """The one run of the judge for this implementation."""
        name = _name(target)
        if name not in self.outcomes:
            request = Request(
                select=self.wanted[name],
                repeat=self.request.repeat,
                timeout_ms=self.request.timeout_ms,
            )
            with tempfile.TemporaryDirectory() as folder:
                self.outcomes[name] = judge(
                    self.places, target, request, Path(folder)
                )
        return self.outcomes[name]


_KEY = pytest.StashKey[_Session]()


def _name(target: Target) -> str:
    return target.label or target.spec or target.name


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("plumbline", "judging cases of Plumbline's corpus")
    group.addoption("--plumb-impl", action="append", default=[],
                    metavar="IMPL", help="judge this implementation: a name, "
                    "or name@version (may be given several times)")
    group.addoption("--plumb-adapter", metavar="CMD",
                    help="judge this adapter")
    group.addoption("--plumb-provider", metavar="LIB",
                    help="judge this provider library")
    group.addoption("--plumb-timeout", type=int, metavar="MS",
                    help="time limit of a case instead of its own")
    group.addoption("--plumb-repeat", type=int, metavar="N",
                    help="run every case N times")


def pytest_configure(config: pytest.Config) -> None:
    specs = config.getoption("plumb_impl")
    adapter = config.getoption("plumb_adapter")
    provider = config.getoption("plumb_provider")
    if not (specs or adapter or provider):
        return
    try:
        places = find_places()
        targets = resolve_all(read_registry(places), specs)
        if adapter:
            targets.append(own_adapter(adapter, ""))
        if provider:
            targets.append(own_provider(Path(provider), ""))
        catalog = read_catalog(places.corpus, places.rules)
    except PlumblineError as error:
        raise pytest.UsageError(f"plumbline: {error}") from None
    session = _Session(places, catalog, targets, Request(
        repeat=config.getoption("plumb_repeat"),
        timeout_ms=config.getoption("plumb_timeout"),
    ))
    for case in catalog.cases.values():
        session.by_file.setdefault(case.file, []).append(case)
    config.stash[_KEY] = session


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    session = parent.config.stash.get(_KEY, None)
    if session is None or file_path.suffix != ".yaml":
        return None
    root = session.places.root
    if not file_path.is_relative_to(root):
        return None
    if str(file_path.relative_to(root)) not in session.by_file:
        return None
    collector: pytest.Collector = _CaseFile.from_parent(
        parent, path=file_path
    )
    return collector


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is left after -k and node ids is what the judge will run."""
    shared = session.config.stash.get(_KEY, None)
    if shared is None:
        return
    for item in session.items:
        if isinstance(item, _CaseItem):
            shared.wanted.setdefault(_name(item.target), []).append(
                item.case.id
            )


class _CaseFile(pytest.File):
    """One file of cases."""

    def collect(self) -> Iterator[pytest.Item]:
        shared = self.config.stash[_KEY]
        name = str(self.path.relative_to(shared.places.root))
        for case in shared.by_file[name]:
            for target in shared.targets:
                yield _CaseItem.from_parent(
                    self,
                    name=f"{case.short}[{_name(target)}]",
                    case=case,
                    target=target,
                )


class _Unexpected(Exception):
    """A verdict that was not expected."""

    def __init__(self, text: str) -> None:
        super().__init__(text)


class _CaseItem(pytest.Item):
    """One case on one implementation."""

    def __init__(
        self, *, case: Case, target: Target, **more: Any
    ) -> None:
        super().__init__(**more)
        self.case = case
        self.target = target
        self.add_marker(case.level.lower())
        self.user_properties.append(("rule", case.rule))

    def runtest(self) -> None:
        outcome = self.config.stash[_KEY].outcome(self.target)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.results is None or self.case.id not in (
            outcome.results.cases
        ):
            raise RunError(
                f"nothing was proved: {outcome.message or outcome.status}"
            )
        _report(outcome.results.cases[self.case.id], self.target)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        if isinstance(excinfo.value, _Unexpected | PlumblineError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        name = f"{self.case.id} on {_name(self.target)}"
        return self.path, self.case.line - 1, name


def _report(case: CaseResult, target: Target) -> None:
    """Turn a verdict into what pytest calls it."""
    if case.unexpected:
        raise _Unexpected(_told(case, target))
    if case.verdict == "pass":
        return
    if case.verdict in ("unsupported", "disputed", "inconclusive"):
        pytest.skip(f"{case.verdict}: {case.detail or case.reason or ''}")
    pytest.xfail(case.reason or (
        case.explanation.summary if case.explanation else case.verdict
    ))


def _told(case: CaseResult, target: Target) -> str:
    lines = [f"{case.id}: {case.verdict}, but "
             f"{' or '.join(case.expected)} is expected"]
    if case.reason:
        lines.append(f"known: {case.reason}")
    if case.explanation:
        lines.append(case.explanation.summary)
    trace = violation(case)
    if trace is not None:
        lines.append("trace: " + "  ".join(map(show_event, trace.events)))
    lines += [text.strip() for text in (case.detail, case.stderr) if text]
    lines.append(f"again: {reproduce(target, case.id)}")
    return "\n".join(lines)
