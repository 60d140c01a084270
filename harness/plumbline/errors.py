# SPDX-License-Identifier: MIT
"""Every error that a person can cause, and the one way it is told.

    PlumblineError            exit status 2, where nothing else stands
    ├── UsageError            the command line asks for what cannot be
    ├── BuildError            the build is missing, old or broken
    ├── CorpusError           a case, rule or vocabulary file is wrong
    ├── RegistryError         implementations.yaml, or an unknown spec
    ├── RuntimesError         installing or removing a pinned runtime
    ├── RunError              the judge could not do its work
    ├── ResultsError          a results file that must not be believed
    ├── ExpectationsError     conformance/expectations/*.yaml
    ├── MutantError           a mutant that does not apply or compile
    ├── MeasurementError      no valid measurement: exit status 5
    ├── ProfileError          a .cpuprofile that cannot be read
    └── ReportError           the report cannot be written
    Interrupted               Ctrl-C or SIGTERM, exit status 130

A message says what is wrong; `place` says where (file, or file:line);
`remedy` says what to do. No other exception may reach a user: cli.main()
turns whatever is left into a message that names it as Plumbline's defect.
"""

from __future__ import annotations

__all__ = [
    "BuildError",
    "CorpusError",
    "ExpectationsError",
    "Interrupted",
    "MeasurementError",
    "MutantError",
    "PlumblineError",
    "ProfileError",
    "RegistryError",
    "ReportError",
    "ResultsError",
    "RunError",
    "RuntimesError",
    "UsageError",
]


class PlumblineError(Exception):
    """A message for a person: what, where, and what to do about it."""

    status = 2

    def __init__(
        self,
        message: str,
        *,
        place: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}\n  {self.remedy}" if self.remedy else head


class UsageError(PlumblineError):
    """The command line asks for something that cannot be."""


class BuildError(PlumblineError):
    """The build is missing, out of date or broken."""


class CorpusError(PlumblineError):
    """A case, a rule or the vocabulary is wrong."""


class RegistryError(PlumblineError):
    """implementations.yaml is wrong, or knows no such implementation."""


class RuntimesError(PlumblineError):
    """A pinned runtime could not be installed, listed or removed."""


class RunError(PlumblineError):
    """The judge could not be started, or proved nothing."""


class ResultsError(PlumblineError):
    """A results file that is truncated, foreign or contradicts itself."""


class ExpectationsError(PlumblineError):
    """A file of known failures is wrong."""


class MutantError(PlumblineError):
    """A mutant that does not apply, does not compile, or is ill written."""


class MeasurementError(PlumblineError):
    """What was measured, or was to be, proves nothing about speed."""

    status = 5


class ProfileError(PlumblineError):
    """A .cpuprofile that is truncated, too large or of another shape."""


class ReportError(PlumblineError):
    """The report cannot be made or written."""


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, or the process was asked to end."""
