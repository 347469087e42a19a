"""The measurement of the hook's run time."""

from __future__ import annotations

from benchmarks.hook import measure


def test_every_run_that_is_timed_ends_as_it_should() -> None:
    """Guests with and without a vGPU pass, and each case gets its figures."""
    found = measure(2)
    assert [*found] == [
        "guest with a vGPU",
        "guest without",
        "another operation",
        "floor: python -I -c pass",
        "floor: /bin/true",
    ]
    assert all(0 < row["median_ms"] <= row["worst_ms"] for row in found.values())
