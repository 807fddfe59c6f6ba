"""Build the mutants of a library, and let the machine, or a test, try to catch each.

A file of mutants is TOML. [library] says what they are of:
  objects   the folder, in the build directory, of the objects that the library is linked from (never LTO's)
  soname    of the library
  map       its symbol map, from the top of the source; optional
Each [[mutant]] has
  name, why          in a word, and in a sentence
  file               the source that is changed, from the top: also a header, then all that include it are compiled
  find, replace      the text, which must be there exactly once, and what stands there instead; or, for several,
                     changes = [{find, replace}, ...], each with a file of its own if it isn't that one
and either or both of
  rows, operations   which must each catch it: in each row, at least one of the operations has to fail;
                     states, partners: only in these, and only with these as the second of a pair
  tests              [{row, operation, name, case}, ...]: tests of Meson which must each catch it, where no sweep can,
                     in the test case that is named; row and operation say where it is counted. On the library as it
                     is the case has to pass. With root = true only root can run it.

A changed copy is compiled by the command in compile_commands.json and linked with the other objects into
BUILD/mutants/NAME/SONAME, which is preloaded: it has the library's own soname, so the program takes it instead. A test
that is linked with a static library is linked once more, with the changed objects before that.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
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
        with open(self.build / "meson-info/intro-tests.json", encoding="utf-8") as file:
            self.tests = json.load(file)
        self.made = {}
        self.programs = {}
        self.making = threading.RLock()
        names = [mutant["name"] for mutant in self.list]
        if len(names) != len(set(names)):
            raise Wrong(f"{path}: two mutants have one name")

    def texts(self, mutant):
        """The changed sources: {file: text}."""
        texts = {}
        for change in mutant.get("changes", [mutant]):
            file = change.get("file", mutant["file"])
            text = texts.get(file) or (ROOT / file).read_text(encoding="utf-8")
            count = text.count(change["find"])
            if count != 1:
                raise Wrong(f'mutant {mutant["name"]}: in {file} is {count} times, not once: {change["find"]!r}')
            texts[file] = text.replace(change["find"], change["replace"])
        return texts

    def run(self, mutant, command):
        result = subprocess.run(
            command, cwd=self.build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if result.returncode != 0:
            raise Wrong(f'mutant {mutant["name"]} can\'t be built: {shlex.join(command)}\n{result.stdout}')
        return result.stdout

    def includers(self, mutant, objects, headers):
        """Those of a folder's objects that were compiled with one of the headers, as Ninja knows it."""
        found, known = set(), ""
        names = [entry["output"] for entry in self.commands if entry["output"].startswith(objects + "/")]
        for line in self.run(mutant, ["ninja", "-t", "deps", *names]).splitlines():
            if line and not line.startswith(" "):
                known = line.split(": ")[0]
            elif os.path.normpath(self.build / line.strip()) in headers:
                found.add(known)
        return found

    def compile(self, mutant, entry, source, place):
        """As compile_commands.json says, but from source, with what lies in place before all else. Returns the object."""
        made = place / pathlib.Path(entry["output"]).name
        compiler, *words = shlex.split(entry["command"])
        command, skip = [compiler, f'-I{place / "include"}'], False
        for word in words:
            if skip or word in ("-MD", "-Werror"):
                # What a mutant leaves out may leave something unused.
                skip = False
            elif word in ("-MQ", "-MF", "-o", "-c"):
                skip = True
            else:
                command.append(word)
        self.run(mutant, [*command, "-o", str(made), "-c", str(source)])
        return made

    def changed_objects(self, mutant, objects):
        """Compile the changed sources as into a folder of objects. Returns {its object: the changed one}."""
        place = self.build / "mutants" / mutant["name"] / pathlib.Path(objects).name
        copies = {}
        for file, text in self.texts(mutant).items():
            # By the path by which it is included.
            copy = place / "include" / pathlib.Path(*pathlib.Path(file).parts[1:])
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
            copies[str(ROOT / file)] = copy
        headers = {path for path in copies if path.endswith(".h")}
        wanted = self.includers(mutant, objects, headers) if headers else set()
        made = {}
        for entry in self.commands:
            output, source = entry["output"], os.path.normpath(pathlib.Path(entry["directory"]) / entry["file"])
            if output in wanted or output.startswith(objects + "/") and source in copies:
                made[output] = self.compile(mutant, entry, copies.get(source, source), place)
        if not made:
            raise Wrong(f'mutant {mutant["name"]}: {", ".join(copies)} isn\'t compiled into {objects}')
        return made

    def library_of(self, mutant):
        """Its library, which is built once: several rows may hunt it at a time."""
        with self.making:
            if mutant["name"] not in self.made:
                self.made[mutant["name"]] = self.make(mutant)
            return self.made[mutant["name"]]

    def make(self, mutant):
        """Build one. Returns its library."""
        changed = self.changed_objects(mutant, self.library["objects"])
        objects = sorted((self.build / self.library["objects"]).glob("*.o"))
        others = [path for path in objects if str(path.relative_to(self.build)) not in changed]
        if len(others) + len(changed) != len(objects):
            raise Wrong(f'mutant {mutant["name"]}: {self.library["objects"]} isn\'t built: build everything first')
        library = self.build / "mutants" / mutant["name"] / self.library["soname"]
        compiler = shlex.split(self.commands[0]["command"])[0]
        linking = [compiler, "-shared", "-pthread", "-o", str(library)]
        linking += [*map(str, changed.values()), *map(str, others)]
        linking += [f'-Wl,-soname,{self.library["soname"]}', "-Wl,-z,now", "-Wl,-Bsymbolic-functions"]
        if "map" in self.library:
            linking.append(f'-Wl,--version-script={ROOT / self.library["map"]}')
        self.run(mutant, linking)
        return library

    def hunt(self, mutant, row, program, log):
        """Whether the machine finds the mutant in a row."""
        library = self.library_of(mutant)
        command = [str(program), "--library", str(library), "--row", str(row), "--failures", "1", "--patience", "1000"]
        command += ["--seconds", "20", "--time", str(SECONDS)]
        command += ["--state", ",".join(mutant["states"])] if "states" in mutant else []
        command += ["--with", ",".join(mutant["partners"])] if "partners" in mutant else []
        command += mutant["operations"]
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

    def test_of(self, mutant, test):
        """The test's program, that with the mutant in it, and the environments of both."""
        listed = [entry for entry in self.tests if entry["name"] == test["name"]]
        if not listed:
            raise Wrong(f'mutant {mutant["name"]}: there is no test {test["name"]}')
        program = pathlib.Path(listed[0]["cmd"][0])
        with self.making:
            if (mutant["name"], program) not in self.programs:
                self.programs[mutant["name"], program] = self.make_test(mutant, str(program.relative_to(self.build)))
            made, more = self.programs[mutant["name"], program]
        return program, listed[0]["env"], made, {**listed[0]["env"], **more}

    def make_test(self, mutant, program):
        self.run(mutant, ["ninja", program])
        linking = shlex.split(self.run(mutant, ["ninja", "-t", "commands", "-s", program]))
        static = [word for word in linking if word.startswith("src/") and word.endswith(".a")]
        if not static:
            return self.build / program, {"LD_PRELOAD": str(self.library_of(mutant))}
        made = self.build / "mutants" / mutant["name"] / pathlib.Path(program).name
        changed = self.changed_objects(mutant, static[0] + ".p")
        # Before the archive: then nothing is missing any more for which its own would be taken.
        at = linking.index("-o") + 2
        self.run(mutant, [*linking[: at - 1], str(made), *map(str, changed.values()), *linking[at:]])
        return made, {}

    def run_test(self, program, environment, case):
        """Whether the one case passes, whether it fails, and what it says; neither where it can't be run at all."""
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen(
                [str(program)],
                env={**os.environ, **environment, "NONET_TEST_ONLY": case, "TMPDIR": directory},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            try:
                text = process.communicate(timeout=4 * SECONDS)[0].rstrip()
            except subprocess.TimeoutExpired:
                process.kill()
                text = f"{process.communicate()[0]}wasn't through after {4 * SECONDS} s"
        # A test that fails leaves its domain behind (harness/names.h).
        for left in pathlib.Path("/dev/shm").glob(f"nonet-test-{process.pid}-*"):
            shutil.rmtree(left, ignore_errors=True)
        passed = process.returncode == 0 and re.search(f"^ok [0-9]+ - {case}$", text, re.M)
        failed = process.returncode > 0 and re.search("^(not ok|Bail out!)", text, re.M)
        return bool(passed), bool(failed), text

    def test(self, mutant, test, log):
        """Whether a test finds the mutant."""
        said = f'mutant {mutant["name"]}, {test["name"]}: {test["case"]}'
        program, environment, made, changed = self.test_of(mutant, test)
        passed, _, text = self.run_test(program, environment, test["case"])
        if not passed:
            log(f"{said}: doesn't pass on the library as it is\n{text}")
            return False
        _, failed, text = self.run_test(made, changed, test["case"])
        if not failed:
            log(f'{said}: SURVIVED ({mutant["why"]})\n{text}')
        return failed
