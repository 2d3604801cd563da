"""How many processor cores this process may keep busy."""

import math
import os
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def cores(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> int:
    """At least 1: those that it may run on, and no more than the time that its control groups grant.

    A container with a limit sees every core of its machine, and stands still for the rest of each tenth of a
    second once threads on all of them have used its share up.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(there, _granted(membership, groups))))


def _granted(membership: Path, groups: Path) -> float:
    """Cores' worth of time, by cpu.max of our group and those above it (Linux, control groups version 2)."""
    least = math.inf
    try:
        own = next(line[3:] for line in membership.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return least
    group = groups / own.lstrip("/")
    for one in (group, *group.parents):
        if not one.is_relative_to(groups):
            break
        try:
            most, period = (one / "cpu.max").read_text().split()
            least = min(least, int(most) / int(period))
        except (OSError, ValueError):  # no such file, or "max": no limit here
            continue
    return least
