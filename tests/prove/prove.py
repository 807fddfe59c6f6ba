"""./dev prove: sweep the operations, hunt the mutants, run the rows that are programs of their own; one table.

usage: prove.py --build DIR [--full [--resume]] [--json FILE] [--row N[,N...]] [--no-mutants] [--no-others] [OPERATION...]
       prove.py --build DIR --markdown [--json FILE]

Writes FILE, by default BUILD/prove.json: a list of {operation, row, points, failures, mutants, mutants_caught}. Exits 0
if there was no failure and each mutant was caught, 1 if not, 77 where nothing can be stepped through.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tomllib

import full
import mutants

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 3600  # that a program of its own may take, if its row doesn't say
GRACE = 20  # that one may take to end what it has started
SWEPT = {1, 2, 3, 4, 5, 12}  # rows that the sweeps play; rows.toml has the others


class Prove:
    def __init__(self, args):
        self.args = args
        self.build = pathlib.Path(args.build).resolve()
        self.program = self.build / "tests/prove/prove"
        self.rows = {int(row) for row in args.row.split(",")} if args.row else None
        self.results = []
        self.untried = []
        self.bad = []

    def wants(self, row, operations):
        wanted = not self.args.operations or any(name in self.args.operations for name in operations)
        return wanted and (self.rows is None or row in self.rows)

    def entry(self, operation, row):
        for entry in self.results:
            if entry["operation"] == operation and entry["row"] == row:
                return entry
        entry = {"operation": operation, "row": row, "points": 0, "failures": 0, "mutants": 0, "mutants_caught": 0}
        self.results.append(entry)
        return entry

    def sweep(self):
        if self.rows is not None and not self.rows & SWEPT:
            return
        if self.args.full:
            self.sweep_fully()
            return
        made = self.build / "prove-sweeps.json"
        made.unlink(missing_ok=True)
        command = [str(self.program), "--json", str(made), *self.args.operations]
        command += ["--row", self.args.row] if self.args.row else []
        command += ["--time", str(self.args.time)] if self.args.time else []
        command += ["--singles", str(self.args.singles)] if self.args.singles else []
        status = subprocess.run(command, cwd=ROOT, stdout=None, check=False).returncode
        # 3 with a table: the time was up before all was played.
        cut = self.args.time and status == 3 and made.exists()
        if status > 1 and not cut or not made.exists():
            self.bad.append(f"the sweeps ended with status {status}")
            return
        self.results += json.loads(made.read_text(encoding="utf-8"))
        if cut:
            print(f"the time, {self.args.time} s, was up: what isn't in the table, or has fewer points, wasn't played")
        self.judge()

    def sweep_fully(self):
        kept = self.build / "prove-full.json"
        sweeps = full.Full(self.program, self.build / "src/libnonet.so.0", kept, self.args.resume)
        self.results += sweeps.run(self.args.operations, self.rows)
        self.bad += sweeps.broken
        self.judge()

    def judge(self):
        if any(entry["failures"] for entry in self.results):
            self.bad.append("the sweeps found failures")

    def hunt(self):
        """Each mutant in each of its rows and tests, two at a time: each sweeps with one worker."""
        jobs = []
        try:
            found = mutants.Mutants(HERE / "mutants.toml", self.build)
            for mutant in found.list:
                for row in mutant.get("rows", []):
                    if self.wants(row, mutant["operations"]):
                        jobs.append((mutant, row, mutant["operations"][0], None))
                for test in mutant.get("tests", []):
                    if test.get("root") and os.geteuid() != 0:
                        print(f'not root: the mutant {mutant["name"]} isn\'t hunted by {test["case"]}')
                    elif self.wants(test["row"], [test["operation"]]):
                        jobs.append((mutant, test["row"], test["operation"], test))
            for mutant, _, _, test in jobs:
                if test:
                    found.test_of(mutant, test)
                else:
                    found.library_of(mutant)
        except mutants.Wrong as wrong:
            self.bad.append(str(wrong))
            return

        def catches(job):
            mutant, row, _, test = job
            return found.test(mutant, test, print) if test else found.hunt(mutant, row, self.program, print)

        with concurrent.futures.ThreadPoolExecutor(max(len(os.sched_getaffinity(0)), 1)) as pool:
            caught = list(pool.map(catches, jobs))
        for (mutant, row, operation, _), good in zip(jobs, caught):
            entry = self.entry(operation, row)
            entry["mutants"] += 1
            entry["mutants_caught"] += good
            if not good:
                self.bad.append(f'row {row} doesn\'t catch the mutant {mutant["name"]}: {mutant["why"]}')

    def tell(self, told):
        """Add what a program of its own has told."""
        if self.rows is not None and told["row"] not in self.rows:
            return
        if "untried" in told:
            self.untried.append(told)
            return
        entry = self.entry(told["operation"], told["row"])
        for key in ("points", "failures", "mutants", "mutants_caught"):
            entry[key] += told.get(key, 0)

    def call(self, command, seconds, **more):
        """Run it to its end, or to the end of its time; Meson ends its tests when it is interrupted."""
        environment = {**os.environ, "BUILD": str(self.build), **more}
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                try:
                    output, _ = process.communicate(timeout=GRACE)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    output, _ = process.communicate()
                self.bad.append(f"{' '.join(command)}: isn't through after {seconds} s")
        if process.returncode != 0:
            self.bad.append(f"{' '.join(command)}: status {process.returncode}")
            print(output)
        return output

    def tests(self, names, seconds):
        """Meson's tests that say by NONET_PROVE_JSON what they tried."""
        told = self.build / "prove-tests.json"
        told.unlink(missing_ok=True)
        # Their programs aren't built by default: Meson does it before it begins.
        command = ["meson", "test", "-C", str(self.build), "--logbase", "prove-tests", "--print-errorlogs", *names]
        self.call(command, seconds, NONET_PROVE_JSON=str(told))
        return told.read_text(encoding="utf-8") if told.exists() else ""

    def others(self):
        """Rows that are programs of their own."""
        with open(self.args.rows, "rb") as file:
            listed = tomllib.load(file).get("row", [])
        for row in listed:
            wanted = set(row["rows"]) if self.rows is None else self.rows & set(row["rows"])
            if self.args.operations or not wanted:
                continue
            what = " ".join(row.get("command", row.get("tests", [])))
            seconds = row.get("seconds", SECONDS)
            try:
                text = self.tests(row["tests"], seconds) if "tests" in row else self.call(row["command"], seconds)
                told = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
                for entry in told:
                    self.tell(entry)
            except (OSError, ValueError, LookupError, TypeError) as error:
                self.bad.append(f"{what}: {error!r}")
                continue
            for number in sorted(wanted - {entry["row"] for entry in told}):
                self.bad.append(f"{what}: says nothing of row {number}")
            for entry in told:
                if entry["failures"] or entry.get("mutants", 0) != entry.get("mutants_caught", 0):
                    self.bad.append(f"{what}: {entry}")

    def run(self):
        self.sweep()
        if not self.args.no_mutants:
            self.hunt()
        if not self.args.no_others:
            self.others()
        self.results.sort(key=lambda entry: (entry["row"], entry["operation"]))
        path = pathlib.Path(self.args.json) if self.args.json else self.build / "prove.json"
        path.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        sys.stdout.flush()
        subprocess.run([str(self.program), "--show", str(path)], check=True)
        planted = sum(entry["mutants"] for entry in self.results)
        caught = sum(entry["mutants_caught"] for entry in self.results)
        points = sum(entry["points"] for entry in self.results)
        failures = sum(entry["failures"] for entry in self.results)
        print(f"{points} points, {failures} failures, {caught} of {planted} mutants caught")
        for told in self.untried:
            print(f"not tried here: row {told['row']}, {told['operation']}: {told['untried']}")
        for sentence in self.bad:
            print(f"BROKEN  {sentence}")
        return 1 if self.bad or not points else 0


def markdown(path):
    """The table of docs/proof.md: points of each operation in each row; of failures their number, too."""
    entries = json.loads(pathlib.Path(path).read_text(encoding="ascii"))
    rows = sorted({entry["row"] for entry in entries})
    print("| operation | " + " | ".join(str(row) for row in rows) + " |")
    print("|---" * (len(rows) + 1) + "|")
    for name in dict.fromkeys(entry["operation"] for entry in entries):
        cells = {row: "" for row in rows}
        for entry in entries:
            if entry["operation"] == name:
                failures = f", {entry['failures']} failed" if entry["failures"] else ""
                cells[entry["row"]] = f"{entry['points']}{failures}"
        print(f"| {name} | " + " | ".join(cells.values()) + " |")
    points = sum(entry["points"] for entry in entries)
    caught = sum(entry["mutants_caught"] for entry in entries)
    print(f"\n{points} points, {sum(entry['failures'] for entry in entries)} failures; {caught} hunts caught their mutant")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--full", action="store_true", help="every pair, double and visit of a loop: hours")
    parser.add_argument("--resume", action="store_true", help="with --full: what is played already isn't played again")
    parser.add_argument("--json")
    parser.add_argument("--markdown", action="store_true", help="do nothing, print the table of what was done last")
    parser.add_argument("--row")
    parser.add_argument("--time", type=int, help="begin no run of the sweeps after so many seconds")
    parser.add_argument("--singles", type=int, help="rows 1 and 12: of steps that aren't distinct each so-many-th")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--no-others", action="store_true", help="only what this sweeps itself")
    parser.add_argument("--rows", default=str(HERE / "rows.toml"))
    parser.add_argument("--sanitized", default="none")
    parser.add_argument("operations", nargs="*")
    args = parser.parse_args()
    if args.markdown:
        markdown(args.json or pathlib.Path(args.build, "prove.json"))
        return 0
    why = None
    if platform.machine() != "x86_64":
        why = f"single steps are understood on x86-64 only, this is {platform.machine()}"
    if args.sanitized != "none":
        why = "a sanitizer's own code would be stepped through; the sweep is on the library as it is released"
    if why:
        print(f"skipped: {why}")
        return 77
    return Prove(args).run()


if __name__ == "__main__":
    sys.exit(main())
