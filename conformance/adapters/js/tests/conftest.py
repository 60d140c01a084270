# SPDX-License-Identifier: MIT
"""Fixtures: each runtime that is here, and an adapter in it; those that are
absent skip."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from js_driver import WANTED, Adapter, Runtime, find_runtime

find = cache(find_runtime)


@pytest.fixture(params=WANTED, ids=str)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    found = find(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    return found


@pytest.fixture
def adapter(runtime: Runtime) -> Iterator[Adapter]:
    with Adapter(runtime) as started:
        yield started
