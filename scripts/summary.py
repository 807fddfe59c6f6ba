"""Sum up meson test runs: NAME=STATUS=TESTLOG.JSON each. The last line is the result; exits 1 if anything failed.

A run that failed without a failed test (it didn't build, or Meson died) counts as one failure."""

import json
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP", "IGNORED"}


SWEEP = re.compile(r"fault sweep: [^:]+: (\d+) injections, (\d+) failures")


def sweeps(tests):
    """What the fault sweeps of a run did in all, or nothing."""
    found = [match for test in tests for match in SWEEP.findall(test.get("stdout") or "")]
    if not found:
        return []
    injections, failures = (sum(int(match[i]) for match in found) for i in (0, 1))
    return [f"fault sweeps: {len(found)} operations, {injections} injections, {failures} failures"]


# Of a failed test's output: what it says of failures, and the last lines.
TELLS = re.compile(r"^not ok|: error: |failed|leaked|ERROR: |late|hang", re.IGNORECASE)
MOST = 12


def why(test):
    """What a failed test printed, as far as it may say why."""
    errors = (test.get("stderr") or "").splitlines()
    told = [line for line in (test.get("stdout") or "").splitlines() if TELLS.search(line)]
    return [f"  | {line[:300]}" for line in told[:MOST] + errors[-MOST:] if line.strip()]


def count(path):
    """The log has one JSON object per line and test."""
    passed = failed = skipped = 0
    notes = []
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except (OSError, ValueError) as error:
        return 0, 0, 0, [f"no usable log: {error}"]
    for test in tests:
        if test["result"] in PASSED:
            passed += 1
        elif test["result"] in SKIPPED:
            skipped += 1
            notes.append(f"skipped: {test['name']}")
        else:
            failed += 1
            notes.append(f"{test['result'].lower()}: {test['name']}")
            notes += why(test)
    return passed, failed, skipped, notes + sweeps(tests)


def main(runs):
    total = [0, 0, 0]
    for run in runs:
        name, status, path = run.split("=", 2)
        passed, failed, skipped, notes = count(path)
        if failed == 0 and (int(status) != 0 or passed == 0):
            failed = 1
            notes.append("the run itself failed: see above")
        print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped")
        for note in notes:
            print(f"  {note}")
        total = [a + b for a, b in zip(total, (passed, failed, skipped))]
    line = f"{total[0]} passed, {total[1]} failed"
    if total[2]:
        line += f", {total[2]} skipped"
    print(line)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
