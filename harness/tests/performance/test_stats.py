# SPDX-License-Identifier: MIT
"""The formulas: against brute force, against known values, and how often
they are wrong."""

from __future__ import annotations

import random
from itertools import combinations, product
from math import inf, isclose

import pytest

from plumbline.stats import (
    Histogram,
    Pauses,
    holm,
    median,
    mmu,
    paired_shift,
    segments,
    two_sample_shift,
)
from plumbline.stats._order import rank_sum_below, signed_rank_below
from plumbline.stats._steps import _costs


def test_the_signed_rank_distribution_is_that_of_all_signs() -> None:
    """Counted out for seven values."""
    sums = [sum(rank for rank, on in zip(range(1, 8), signs) if on)
            for signs in product((0, 1), repeat=7)]
    for value in range(29):
        below = sum(total <= value for total in sums) / len(sums)
        assert isclose(signed_rank_below(7, value), below)


def test_the_rank_sum_distribution_is_that_of_all_orders() -> None:
    """Counted out for four and three values."""
    counts = []
    for first in combinations(range(7), 4):
        rest = [i for i in range(7) if i not in first]
        counts.append(sum(a > b for a in first for b in rest))
    for value in range(13):
        below = sum(total <= value for total in counts) / len(counts)
        assert isclose(rank_sum_below(4, 3, value), below)


def test_large_samples_join_the_exact_ones() -> None:
    """Where counting ends, the normal approximation is as good."""
    assert abs(signed_rank_below(60, 600) - signed_rank_below(61, 620)) < 0.01
    assert abs(rank_sum_below(20, 20, 130) - rank_sum_below(21, 20, 138)
               ) < 0.01


def test_a_shift_is_the_median_of_pairs_with_bounds() -> None:
    """Known by hand: differences 1 to 8."""
    shift = paired_shift([float(x) for x in range(1, 9)])
    assert shift.estimate == 4.5
    # P(T <= 1) = 2/256 < 1%, P(T <= 2) = 3/256 > 1%: the second of the pairs.
    assert (shift.lower, shift.upper) == (1.5, 7.5)
    assert isclose(shift.above(0), 1 / 256)
    assert shift.under(0) == 1.0


@pytest.mark.parametrize("n, finite", [(6, False), (7, True)])
def test_too_few_pairs_have_no_bounds(n: int, finite: bool) -> None:
    """Never a guess."""
    shift = paired_shift([1.0] * n)
    assert shift.estimate == 1
    assert (shift.lower > -inf, shift.upper < inf) == (finite, finite)


@pytest.mark.parametrize("n, m, finite", [(4, 4, False), (4, 5, True),
                                          (1, 40, False)])
def test_too_few_values_have_no_bounds(n: int, m: int, finite: bool) -> None:
    """Of two samples."""
    shift = two_sample_shift([0.0] * n, [1.0] * m)
    assert shift.estimate == 1
    assert (shift.lower == 1) is finite


def test_nothing_has_no_shift() -> None:
    """A caller's mistake is told, not answered."""
    with pytest.raises(ValueError, match="needs a difference"):
        paired_shift([])
    with pytest.raises(ValueError, match="both sides"):
        two_sample_shift([], [1.0])


@pytest.mark.parametrize("draw", [
    lambda r: r.gauss(0, 1), lambda r: r.uniform(-1, 1),
    lambda r: r.choice((-1, 1)) * r.expovariate(1),
], ids=["normal", "uniform", "heavy"])
def test_a_bound_of_99_percent_holds_99_times_of_100(draw) -> None:  # type: ignore[no-untyped-def]
    """Over 2,000 sets of 8 differences around 0, below 1.6% leave it out."""
    source = random.Random(5)
    wrong = sum(paired_shift([draw(source) for _ in range(8)]).lower > 0
                for _ in range(2000))
    assert wrong < 32
    wrong = sum(two_sample_shift([draw(source) for _ in range(6)],
                                 [draw(source) for _ in range(7)]).lower > 0
                for _ in range(2000))
    assert wrong < 32


def test_holm_keeps_the_order_of_its_input() -> None:
    """By hand: 4, 3, 2 and 1 times the sorted ones, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_histogram_is_exact_to_a_thirty_second() -> None:
    """Whatever the size of the values; ends are exact."""
    source = random.Random(3)
    values = [int(10 ** source.uniform(0, 9)) for _ in range(3000)]
    found = Histogram.of(values)
    ordered = sorted(values)
    assert found.total == 3000
    assert (found.least, found.most) == (ordered[0], ordered[-1])
    for share in (0.1, 0.5, 0.9, 0.99, 0.999):
        true = ordered[int(share * 3000 + 0.999999) - 1]
        assert true <= found.quantile(share) <= true * (1 + 1 / 32) + 1
    assert found.quantile(1) == ordered[-1]


def test_histograms_add_up_and_travel() -> None:
    """The sum of two is that of all values, through JSON, too."""
    a, b = Histogram.of([1, 70, 70, 5000]), Histogram.of([0, 71, 9999])
    both = a + b
    assert both == Histogram.of([1, 70, 70, 5000, 0, 71, 9999])
    assert Histogram.from_json(both.to_json()) == both  # type: ignore[arg-type]
    assert Histogram() + a == a
    with pytest.raises(ValueError, match="begins where none does"):
        Histogram.from_json({"counts": [[71, 1], [129, 1]], "least": 0,
                             "most": 1})
    with pytest.raises(ValueError, match="no place for -1"):
        Histogram.of([-1])


def _brute(pauses: list[tuple[int, int]], span: int, width: int) -> float:
    paused = [0] * span
    for begin, length in pauses:
        for at in range(begin, min(begin + length, span)):
            paused[at] = 1
    return min(1 - sum(paused[s:s + width]) / width
               for s in range(span - width + 1))


def test_utilization_is_that_of_the_worst_window() -> None:
    """Against looking at every window of random pauses."""
    source = random.Random(11)
    for _ in range(60):
        span = source.randint(20, 120)
        pauses: list[tuple[int, int]] = []
        at = 0
        while (at := at + source.randint(0, 20)) < span - 8:
            length = source.randint(1, 8)
            pauses.append((at, length))
            at += length
        widths = [1, 3, 10, span // 2, span]
        found = mmu(Pauses("wall", span, pauses), widths)
        for width, share in zip(widths, found):
            assert isclose(share, _brute(pauses, span, width),
                           abs_tol=1e-12), (pauses, span, width)


def test_utilization_without_pauses_is_whole() -> None:
    """And needs a span."""
    assert mmu(Pauses("wall", 100, []), [1, 10]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="span"):
        mmu(Pauses("wall", None, [(0, 1)]), [1])


def test_costs_of_a_stretch_are_distances_from_its_median() -> None:
    """Against computing each."""
    source = random.Random(2)
    values = [source.random() for _ in range(25)]
    for begin, cost in enumerate(_costs(values, 25)):
        middle = median(values[begin:])
        true = sum(abs(v - middle) for v in values[begin:])
        assert isclose(cost, true, abs_tol=1e-9)


def test_a_step_is_found_where_it_is() -> None:
    """Of three times the noise, in at least 18 of 20 series, within two
    places."""
    source = random.Random(8)
    hits = 0
    for _ in range(20):
        values = [source.gauss(0, 1) for _ in range(30)]
        values += [source.gauss(3, 1) for _ in range(12)]
        found = segments(values)
        hits += len(found) == 2 and abs(found[1].begin - 30) <= 2
    assert hits >= 18


def test_noise_has_no_steps() -> None:
    """In at most 2 of 100 series, normal or one-sided."""
    source = random.Random(9)
    wrong = 0
    for number in range(100):
        values = [source.gauss(0, 1) if number % 2 else source.expovariate(1)
                  for _ in range(50)]
        wrong += len(segments(values)) > 1
    assert wrong <= 2


def test_short_and_equal_series_are_one_stretch() -> None:
    """Nothing is cut below four values a side."""
    assert segments([]) == []
    assert [(s.begin, s.end) for s in segments([1.0, 9.0, 1.0])] == [(0, 3)]
    assert [(s.begin, s.end) for s in segments([5.0] * 40)] == [(0, 40)]
    cut = segments([1.0] * 4 + [2.0] * 4)
    assert [(s.begin, s.end, s.level) for s in cut] == [(0, 4, 1), (4, 8, 2)]
