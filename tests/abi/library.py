"""What a shared or static libnonet has to be, read with readelf and nm."""

import re
import subprocess


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(*options):
    """The names that nm prints, without versions; a version node itself (an absolute symbol) isn't one."""
    lines = (line.split() for line in tool("nm", *options).splitlines())
    return {line[-1].split("@")[0] for line in lines if len(line) >= 2 and line[-2] != "A"}


def shared_faults(path, soname):
    """What is wrong with a shared library."""
    dynamic = tool("readelf", "--wide", "--dynamic", path)
    if f"Library soname: [{soname}]" not in dynamic:
        yield f"the soname isn't {soname}"
    if not re.search(r"\(FLAGS_1\).*\bNODELETE\b", dynamic):
        yield "it could be unloaded under its users: no nodelete flag"
    if "(TEXTREL)" in dynamic:
        yield "it has text relocations"
    if not re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic):
        yield "it isn't bound at once: no now flag"
    for needed in re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)\]", dynamic):
        if not re.match(r"libc\.so\.|ld-linux", needed):
            yield f"it needs {needed}, and not libc alone"
    for name in sorted(symbols("--dynamic", "--defined-only", path)):
        if not name.startswith("nonet_"):
            yield f"it exports {name}"
    yield from code_faults(path)


def code_faults(path):
    """What no build for users may hold, shared or static."""
    for name in sorted(symbols("--no-sort", path)):
        if name.startswith("sys_fault"):
            yield f"it has the fault point {name}"
