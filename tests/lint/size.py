"""Files stay small: from 600 lines on one is asked to be split, at 1,000 it is refused."""

import lint

ASK, REFUSE = 600, 1000


def check(root, _):
    for path in lint.files(root, "*.c", "*.h", "*.py", "*.sh", "dev"):
        lines = lint.read(path).count("\n")
        if lines >= REFUSE:
            yield lint.Finding(path, 0, f"{lines} lines: {REFUSE} is refused, split it")
        elif lines >= ASK:
            yield lint.Finding(path, 0, f"{lines} lines: split it before it is {REFUSE}", warning=True)


if __name__ == "__main__":
    lint.main(check)
