"""Build the mutants of a library, and let the machine try to catch each.

A file of mutants is TOML. [library] says what they are of:
  objects   the folder, in the build directory, of the objects that the library is linked from (never LTO's)
  soname    of the library
  map       its symbol map, from the top of the source; optional
Each [[mutant]] has
  name, why          in a word, and in a sentence
  file               the source that is changed, from the top
  find, replace      the text, which must be there exactly once, and what stands there instead; or, for several,
                     changes = [{find, replace}, ...]
  rows, operations   which must each catch it: in each row, at least one of the operations has to fail

The changed copy is compiled by the command in compile_commands.json and linked with the other objects into
BUILD/mutants/NAME/SONAME, which is preloaded: it has the library's own soname, so the program takes it instead.
"""

import json
import os
import pathlib
import shlex
import subprocess
import threading
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 120
# The machine's exit status: failures were found. Anything else is no catch.
FOUND = 1


class Wrong(Exception):
    """A file of mutants that doesn't fit the source any more, or a mutant that can't be built."""


class Mutants:
    def __init__(self, path, build):
        with open(path, "rb") as file:
            content = tomllib.load(file)
        self.build = pathlib.Path(build).resolve()
        self.library = content["library"]
        self.list = content.get("mutant", [])
        with open(self.build / "compile_commands.json", encoding="utf-8") as file:
            self.commands = json.load(file)
        self.made = {}
        self.making = threading.Lock()
        names = [mutant["name"] for mutant in self.list]
        if len(names) != len(set(names)):
            raise Wrong(f"{path}: two mutants have one name")

    def text(self, mutant):
        """The changed source."""
        text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
        for change in mutant.get("changes", [mutant]):
            count = text.count(change["find"])
            if count != 1:
                where = f'mutant {mutant["name"]}: in {mutant["file"]} is {count} times, not once'
                raise Wrong(f'{where}: {change["find"]!r}')
            text = text.replace(change["find"], change["replace"])
        return text

    def command(self, mutant):
        """What compiles the file for the library, and its object."""
        source = ROOT / mutant["file"]
        for entry in self.commands:
            same = (pathlib.Path(entry["directory"]) / entry["file"]).resolve() == source
            if same and entry["output"].startswith(self.library["objects"] + "/"):
                return shlex.split(entry["command"]), entry["output"]
        raise Wrong(f'mutant {mutant["name"]}: {mutant["file"]} is not compiled into {self.library["objects"]}')

    def run(self, mutant, command):
        result = subprocess.run(
            command, cwd=self.build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if result.returncode != 0:
            raise Wrong(f'mutant {mutant["name"]} can\'t be built: {shlex.join(command)}\n{result.stdout}')

    def library_of(self, mutant):
        """Its library, which is built once: several rows may hunt it at a time."""
        with self.making:
            if mutant["name"] not in self.made:
                self.made[mutant["name"]] = self.make(mutant)
            return self.made[mutant["name"]]

    def make(self, mutant):
        """Build one. Returns its library."""
        place = self.build / "mutants" / mutant["name"]
        place.mkdir(parents=True, exist_ok=True)
        changed = place / pathlib.Path(mutant["file"]).name
        changed.write_text(self.text(mutant), encoding="utf-8")
        command, output = self.command(mutant)
        made = place / (changed.name + ".o")
        compiling, skip = [], False
        for word in command:
            if skip or word == "-MD":
                skip = False
            elif word == "-Werror":
                # What a mutant leaves out may leave something unused.
                continue
            elif word in ("-MQ", "-MF", "-o", "-c"):
                skip = True
            else:
                compiling.append(word)
        self.run(mutant, [*compiling, "-o", str(made), "-c", str(changed)])
        objects = sorted((self.build / self.library["objects"]).glob("*.o"))
        others = [str(path) for path in objects if path != self.build / output]
        if len(others) == len(objects):
            raise Wrong(f'mutant {mutant["name"]}: {output} isn\'t built: build everything first')
        library = place / self.library["soname"]
        linking = [command[0], "-shared", "-pthread", "-o", str(library), str(made), *others]
        linking += [f'-Wl,-soname,{self.library["soname"]}', "-Wl,-z,now", "-Wl,-Bsymbolic-functions"]
        if "map" in self.library:
            linking.append(f'-Wl,--version-script={ROOT / self.library["map"]}')
        self.run(mutant, linking)
        return library

    def hunt(self, mutant, row, program, log):
        """Whether the machine finds the mutant in a row."""
        library = self.library_of(mutant)
        command = [str(program), "--library", str(library), "--row", str(row), "--failures", "1", "--patience", "1000"]
        command += ["--seconds", "20", "--time", str(SECONDS), *mutant["operations"]]
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        try:
            result = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=4 * SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log(f'mutant {mutant["name"]}, row {row}: the sweep wasn\'t through after {4 * SECONDS} s')
            return False
        if result.returncode != FOUND:
            log(f'mutant {mutant["name"]}, row {row}: SURVIVED ({mutant["why"]}), status {result.returncode}')
            log(result.stdout.rstrip())
        return result.returncode == FOUND
