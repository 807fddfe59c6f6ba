"""run.py fails where it must: on a model that falls, a variant that holds, another property than the one named, a search
that was cut off, a model that names nothing to run, and, in a soak, one that falls in a soak's size."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).with_name("run.py")
HOLDS = " * holds\n"
FALLS = " * falls one: -DWEAK\n"
BODY = """
byte n;
active proctype p()
{
	n++;
#ifdef WEAK
	assert(n == 2); /* one */
#endif
}
"""
DEEP = """
int n;
active proctype p()
{
	do
	:: n < 200000 -> n++;
	:: else -> break;
	od
}
"""

# what is planted: (cases, body, exit status, mutants caught[, NONET_SCALE])
PLANTED = {
    "nothing": (HOLDS + FALLS, BODY, 0, 1),
    "a model that falls": (HOLDS + FALLS, BODY.replace("n++", "false"), 1, 0),
    "a variant that holds": (HOLDS + FALLS, BODY.replace("n == 2", "n == 1"), 1, 0),
    "another property": (HOLDS + FALLS, BODY.replace("/* one */", "/* other */"), 1, 0),
    "a variant that Spin can't read": (HOLDS + FALLS, BODY.replace("assert(", "asert (("), 1, 0),
    "a search that is cut off": (HOLDS, DEEP, 1, 0),
    "nothing to run": ("", BODY, 1, 0),
    "a soak's size that falls": (HOLDS + " * soak holds -DWEAK\n", BODY, 1, 0, "1"),
    "a soak's variant that holds": (HOLDS + " * soak" + FALLS[2:], BODY.replace("n == 2", "n == 1"), 1, 0, "1"),
    "a soak's size that falls, and no soak": (HOLDS + " * soak holds -DWEAK\n", BODY, 0, 0),
}


def main():
    if not shutil.which("spin"):
        print("skipped: spin isn't installed")
        sys.exit(1 if os.environ.get("NONET_TEST_NO_SKIP") == "1" else 77)
    bad = 0
    for name, (cases, body, status, caught, *scale) in PLANTED.items():
        environment = dict(os.environ, NONET_SCALE=scale[0] if scale else "0.1")
        with tempfile.TemporaryDirectory() as directory:
            model = pathlib.Path(directory) / "planted.pml"
            model.write_text(f"/*\n{cases} */{body}")
            done = subprocess.run(
                [sys.executable, "-B", RUN, model], stdout=subprocess.PIPE, text=True, check=False, env=environment
            )
            result = json.loads(done.stdout.splitlines()[-1])
            if done.returncode != status or result["mutants_caught"] != caught:
                print(f"{name}: exit status {done.returncode}, {result}")
                bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
