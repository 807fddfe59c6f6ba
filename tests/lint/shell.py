"""Shell scripts pass shellcheck."""

import shutil
import subprocess

import lint


def check(root, _):
    if not shutil.which("shellcheck"):
        raise lint.Skip("there is no shellcheck")
    paths = lint.files(root, "*.sh", "dev") + sorted(root.glob(".ci/run"))
    if not paths:
        return
    result = subprocess.run(
        ["shellcheck", "--format=gcc", *map(str, paths)], capture_output=True, text=True, check=False
    )
    for line in result.stdout.splitlines():
        path, number, _, message = line.split(":", 3)
        yield lint.Finding(root.joinpath(path), int(number), message.strip())


if __name__ == "__main__":
    lint.main(check)
