#!/usr/bin/env python3
"""Run a fuzz target: replay its seeds; with NONET_FUZZ_SECONDS, then search for so long.

usage: run.py TARGET SEEDS [DICTIONARY]

What is found while searching goes to a directory of its own, which is removed; a crash's input is kept in the current
directory, as libFuzzer does. Where others use the machine too, it goes on, up to three times as long, until 1,000,000
inputs a minute asked for were tried (NONET_FUZZ_RUNS is another number than that). Fails on a crash, and if that wasn't
enough: a target that has become slow finds nothing any more.
"""

import os
import re
import subprocess
import sys
import tempfile

ROUNDS = 3


def run(arguments):
    result = subprocess.run(arguments, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if result.returncode != 0:
        sys.stderr.write(result.stderr[-20000:])
        sys.exit(f"{os.path.basename(arguments[0])}: exit status {result.returncode}")
    return result.stderr


def main():
    target, seeds, *dictionary = sys.argv[1:]
    name = os.path.basename(target)
    log = run([target, "-runs=0", seeds])
    print(f"{name}: {len(os.listdir(seeds))} seeds replayed")
    seconds = int(os.environ.get("NONET_FUZZ_SECONDS", "0"))
    if seconds == 0:
        return
    wanted = int(os.environ.get("NONET_FUZZ_RUNS", str(1_000_000 * seconds // 60)))
    runs = rounds = 0
    with tempfile.TemporaryDirectory(prefix="nonet-fuzz-") as found:
        while rounds == 0 or (runs < wanted and rounds < ROUNDS):
            log = run(
                [target, f"-max_total_time={seconds}", "-max_len=512", "-print_final_stats=1"]
                + [f"-dict={path}" for path in dictionary]
                + [found, seeds]
            )
            runs += int(re.search(r"stat::number_of_executed_units:\s+(\d+)", log).group(1))
            rounds += 1
    print(f"{name}: {runs} executions in {rounds * seconds} s, 0 crashes")
    if runs < wanted:
        sys.exit(f"{name}: {wanted} executions were wanted")


main()
