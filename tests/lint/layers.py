"""The arrows between layers: a file may include headers of lower layers and of its own folder, never up or sideways."""

import re

import lint

LAYERS = (
    ("base",),
    ("sys", "waitable"),
    ("guard", "watcher"),
    ("stream", "domain"),
    ("sync",),
    ("signal", "process", "pipe", "queue", "semaphore", "memory", "filelock", "mapfile", "socket", "unix"),
    ("channel", "log", "wait"),
    ("endpoint", "inspect", "call"),
)
LAYER = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
# Reads the layouts of all, calls only these.
INSPECT_CALLS = ("base", "sys")
# What users of the library could have written: these see only its public headers.
OUTSIDE = ("tools", "bindings", "examples", "bench")


def arrow(module, included):
    """Why src/MODULE may not include "INCLUDED", or None."""
    folder, _, name = included.partition("/")
    if not name:
        return f'"{included}" has no folder: headers are included as "folder/{included}"'
    if folder not in LAYER:
        return f'"{included}" is in no layer that tests/lint/layers.py knows'
    if folder == module or name.endswith("_layout.h") and LAYER[folder] <= LAYER[module]:
        return None
    if module == "inspect" and folder not in INSPECT_CALLS:
        return f'inspect reads layouts and calls only {" and ".join(INSPECT_CALLS)}: not "{included}"'
    if LAYER[folder] == LAYER[module]:
        return f'sideways: {module} and {folder} are both in layer {LAYER[module]}, so "{included}" is not its to see'
    if LAYER[folder] > LAYER[module]:
        return f'upwards: {module} is in layer {LAYER[module]}, "{included}" in layer {LAYER[folder]}'
    return None


def check_library(root):
    for path in lint.files(root, "*.c", "*.h", below=["src"]):
        parts = path.relative_to(root / "src").parts
        if len(parts) != 2 or parts[0] not in LAYER:
            yield lint.Finding(path, 0, "is in no layer that tests/lint/layers.py knows")
            continue
        for line, kind, included in lint.includes(path):
            if lint.is_test(path) and re.match(r"(tests/|harness/|test)", included):
                continue
            wrong = None
            if kind == "quoted":
                wrong = arrow(parts[0], included)
            elif not included.startswith("nonet/") and (root / "src" / included).is_file():
                wrong = f'<{included}> is the project\'s own: include it as "{included}"'
            if wrong:
                yield lint.Finding(path, line, wrong)


def check_outside(root):
    for path in lint.files(root, "*.c", "*.h", "*.cc", "*.cpp", below=OUTSIDE):
        top = root / path.relative_to(root).parts[0]
        for line, kind, included in lint.includes(path):
            if kind == "quoted":
                near = [(place / included).resolve() for place in (path.parent, *path.parent.parents)]
                own = any(place.is_relative_to(top) and place.exists() for place in near)
                wrong = not own
            else:
                wrong = not included.startswith("nonet/") and (root / "src" / included).is_file()
            if wrong:
                yield lint.Finding(path, line, f"{included}: {top.name}/ sees only include/nonet/ and its own files")
    for path in lint.files(root, "*.h", below=["include"]):
        for line, kind, included in lint.includes(path):
            if kind == "quoted":
                yield lint.Finding(path, line, f'"{included}": public headers include each other as <nonet/...>')


def check(root, _):
    yield from check_library(root)
    yield from check_outside(root)


if __name__ == "__main__":
    lint.main(check)
