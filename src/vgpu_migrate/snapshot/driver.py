"""What follows from a host driver's version: its major, CUDA, NVML's own version, the branch."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from typing import NamedTuple

from vgpu_migrate.nvml.symbols import OLDEST_UNLISTED

CUDA_BY_MAJOR = {
    390: (9, 1),
    410: (10, 0),
    418: (10, 1),
    440: (10, 2),
    450: (11, 0),
    460: (11, 2),
    470: (11, 4),
    510: (11, 6),
    525: (12, 0),
    535: (12, 2),
    550: (12, 4),
    570: (12, 8),
    580: (13, 0),
    590: (13, 1),
    595: (13, 2),
}
"""The CUDA version that a driver branch brings; a major that is not here has that of the nearest older one.

Source: release notes of the CUDA toolkit, table of toolkit and driver versions.
"""

FIRST_WITH_SEVERAL_TYPES = 535
"""The driver major from which a VM may have vgpus of several types: our assumption; a capture of 550 has it.
"""


class DriverFacts(NamedTuple):
    """A driver as NVML describes it. `cuda_version` is major * 1000 + minor * 10, as NVML spells it."""

    driver: str
    major: int
    cuda_version: int
    nvml: str
    branch: str


@cache
def driver_facts(driver: str) -> DriverFacts:
    """What follows from a driver's version.

    One that does not begin with a number counts as the newest: every function exists. Our assumption.
    """
    match = re.match(r"[0-9]{1,6}", driver)
    major = int(match.group()) if match else OLDEST_UNLISTED
    majors = sorted(CUDA_BY_MAJOR)
    cuda_major, cuda_minor = CUDA_BY_MAJOR[majors[max(0, bisect_right(majors, major) - 1)]]
    return DriverFacts(
        driver=driver,
        major=major,
        cuda_version=cuda_major * 1000 + cuda_minor * 10,
        nvml=f"{cuda_major}.{driver}",
        branch=f"r{major}_00",
    )
