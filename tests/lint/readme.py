"""The README's first program is examples/hello.c, which the tests compile and run. And every link in the documents leads
to a file."""

import re

import lint


def program(root):
    """hello.c without its licence line and opening comment."""
    lines = lint.read(root / "examples/hello.c").splitlines()
    return "\n".join(lines[2:])


def check(root, _):
    readme = root / "README.md"
    block = re.search(r"^```c\n(.*?)^```$", lint.read(readme), re.MULTILINE | re.DOTALL)
    if not block or block[1].strip() != program(root).strip():
        yield lint.Finding(readme, 0, "its first program isn't examples/hello.c: copy that in")
    for path in lint.files(root, "*.md"):
        for number, line in enumerate(lint.read(path).splitlines(), 1):
            for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", line):
                if not (path.parent / target).exists():
                    yield lint.Finding(path, number, f"the link to {target} leads nowhere")


if __name__ == "__main__":
    lint.main(check)
