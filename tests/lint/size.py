"""Files stay small: from 600 lines on one is asked to be split, at 1,000 it is refused. An example has 30 to 60."""

import lint

ASK, REFUSE = 600, 1000
EXAMPLE = range(30, 61)


def count(path):
    return lint.read(path).count("\n")


def check(root, _):
    for path in lint.files(root, "*.c", "*.h", "*.py", "*.sh", "dev"):
        lines = count(path)
        if lines >= REFUSE:
            yield lint.Finding(path, 0, f"{lines} lines: {REFUSE} is refused, split it")
        elif lines >= ASK:
            yield lint.Finding(path, 0, f"{lines} lines: split it before it is {REFUSE}", warning=True)
    for path in lint.files(root, "*.c", below=("examples",)):
        lines = count(path)
        if lines not in EXAMPLE:
            yield lint.Finding(path, 0, f"{lines} lines: an example has {EXAMPLE[0]} to {EXAMPLE[-1]}, and shows one thing")


if __name__ == "__main__":
    lint.main(check)
