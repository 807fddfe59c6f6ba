"""The sweeps of `./dev prove --full`: an operation and a row at a time, each kept as soon as it is through.

They take hours. What is kept is of one library and one program, told by their contents: with --resume that isn't played
again, and what is of others is thrown away.
"""

import hashlib
import json
import os
import subprocess


def digest(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


class Full:
    def __init__(self, program, library, path, resume):
        """path: where it is kept; resume: whether what is there is taken."""
        self.program = program
        self.path = path
        self.broken = []  # of sweeps that couldn't go on, which another try may
        self.kept = {"of": digest([program, library]), "results": {}}
        if resume and path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["of"] == self.kept["of"]:
                self.kept = kept
            else:
                print(f"{path}: of another library or program, and played anew")

    def keep(self):
        """Whole, or as it was: who is ended here loses nothing."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.kept, indent=1) + "\n", encoding="utf-8")
        os.replace(new, self.path)

    def listed(self):
        """The operations and the rows that there are."""
        lines = subprocess.run([str(self.program), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        lines = [line.split(":")[0] for line in lines.splitlines()]
        rows = [int(line.removeprefix("row ")) for line in lines if line.startswith("row ")]
        return [line for line in lines if not line.startswith("row ")], rows

    def play(self, operation, row):
        made = self.path.with_suffix(".one")
        made.unlink(missing_ok=True)
        command = [str(self.program), "--full", "--row", str(row), "--json", str(made), operation]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        results = json.loads(made.read_text(encoding="utf-8")) if made.exists() else None
        made.unlink(missing_ok=True)
        # 3 with an empty table: the operation isn't played in that row.
        if results is None or told.returncode not in (0, 1) and (told.returncode != 3 or results):
            self.broken.append(f"{' '.join(command)}: status {told.returncode}")
            return None
        if results:
            print(told.stdout, end="", flush=True)
        return results

    def run(self, operations, rows):
        """operations: a list, empty: all; rows: a set, or None. Return: the results of all."""
        all_operations, all_rows = self.listed()
        results = []
        for operation in operations or all_operations:
            for row in all_rows:
                name = f"{operation}/{row}"
                if rows is not None and row not in rows:
                    continue
                if name not in self.kept["results"]:
                    played = self.play(operation, row)
                    if played is None:
                        continue
                    self.kept["results"][name] = played
                    self.keep()
                results += self.kept["results"][name]
        return results
