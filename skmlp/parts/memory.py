"""Memory: how much of it this process may have."""

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows what groups of processes may have."""


def memory_limit() -> int:
    """Bytes that this process may have at most.

    The least of what the machine has, what the control groups of the process may have
    (containers and batch systems set these), and what the process itself may.
    """
    import psutil

    return min(psutil.virtual_memory().total, *limits_of_groups(), *own_limits())


def own_limits() -> Iterator[int]:
    """Those that `ulimit` sets, on systems that know of it."""
    if os.name != "posix":
        return
    import resource

    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit


def limits_of_groups(
    root: Path = GROUPS, own: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """Those of the control groups that this process is in, of either version."""
    if not own.exists():
        return
    for line in own.read_text().splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / controllers
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        group = top / name.lstrip("/")
        # a container sees its own group as the root, whatever its name outside is
        for folder in (group, *group.parents):
            path = folder / file
            if path.exists() and path.read_text().strip().isdigit():
                yield int(path.read_text())
            if folder == top:
                break
