"""C is formatted as clang-format 14 does it; another version would disagree with itself."""

import re
import shutil
import subprocess

import lint


def find():
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
            if re.search(r"version 14\.", version):
                return name
    raise lint.Skip("there is no clang-format 14")


def check(root, _):
    paths = lint.files(root, "*.c", "*.h")
    if not paths:
        return
    command = [find(), f"--style=file:{lint.ROOT}/.clang-format", "--dry-run", "--Werror", *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    for match in re.finditer(r"(?m)^(.+?):(\d+):\d+: error: .*$", result.stderr):
        yield lint.Finding(root.joinpath(match[1]), int(match[2]), "not as clang-format 14 has it: run it with -i")
    if result.returncode != 0 and "error:" not in result.stderr:
        yield lint.Finding(root, 0, result.stderr.strip())


if __name__ == "__main__":
    lint.main(check)
