# SPDX-License-Identifier: Apache-2.0
"""What nonet doctor prints for people."""

import json
import os
import pty
import re
import shlex
import struct
import termios
from fcntl import ioctl

import cli
import machine
from machine import limit, mount

FAULTS = (limit("Max open files", "100", "4096"), mount("/dev/shm", None), mount("/dev/mqueue", None),
          {"/proc/sys/net/unix/max_dgram_qlen": "10", "/etc/systemd/logind.conf": "[Login]",
           "/proc/sys/fs/pipe-max-size": "x", "/proc/sys/fs/mqueue/msg_max": "10"})


class Output(cli.Case):
    def setUp(self):
        super().setUp()
        self.machine = machine.Machine(self.path("machine"))
        self.machine.make(*FAULTS)

    def look(self, *arguments, **options):
        return self.nonet("doctor", "--sysroot", self.machine.root, *arguments, **options)

    def on_a_terminal(self, columns, environment, *arguments):
        """What a terminal of that width shows, without the colours and the spaces at the ends; and as it came."""
        parent, child = pty.openpty()
        ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = self.start("doctor", "--sysroot", self.machine.root, *arguments, stdout=child,
                             environment={"TERM": "xterm", **environment})
        os.close(child)
        text = b""
        try:
            while piece := os.read(parent, 4096):
                text += piece
        except OSError:  # EIO: the last holder of the other side has gone
            pass
        os.close(parent)
        self.assertEqual(process.wait(cli.PATIENCE), 3)
        plain = re.sub(r"\x1b\[\d*(;\d+)*m", "", text.decode())
        return [line.rstrip() for line in plain.replace("\r", "").splitlines()], text

    def test_the_worst_comes_first_and_the_count_last(self):
        done = self.look()
        self.assertEqual((done.returncode, done.stderr), (3, b""))
        lines = cli.lines_of(done.stdout)
        levels = [line.split()[0] for line in lines[1:-1] if line[:1].strip()]
        order = ["problem", "note", "unknown"]
        self.assertEqual(levels, sorted(levels, key=order.index))
        self.assertEqual(set(levels), set(order))
        self.assertRegex(lines[-1], rf"^{levels.count('problem')} problems, {levels.count('note')} notes, "
                                    rf"{levels.count('unknown')} couldn't be looked at, \d+ fine \(--all shows them\)$")

    def test_what_is_fine_is_shown_when_it_is_asked_for(self):
        self.assertNotRegex(self.look().stdout, rb"(?m)^ok ")
        self.assertRegex(self.look("--all").stdout, rb"(?m)^ok +backlog ")

    def test_nothing_to_tell(self):
        self.machine.make()
        done = self.look("memory", "open-files")
        self.assertEqual((done.returncode, done.stdout), (0, b"0 problems, 0 notes, 6 fine (--all shows them)\n"))
        self.assertEqual(json.loads(self.look("--json", "memory").stdout), [])

    def test_lines_fit_the_terminal_and_nothing_is_cut_off(self):
        for columns in (80, 100, 132):
            lines, _ = self.on_a_terminal(columns, {"NO_COLOR": "1"}, "--all")
            self.assertLessEqual(max(map(len, lines)), min(columns, 100))
            self.assertGreater(max(map(len, lines)), min(columns, 100) - 8)  # and fill it
            self.assertEqual(self.sentences(lines), self.expected())
        piped = cli.lines_of(self.look("--all").stdout)
        self.assertEqual([line for line in piped if line != line.rstrip()], [])
        self.assertLessEqual(max(map(len, piped)), 80)
        self.assertGreater(sorted(map(len, piped))[-10], 72)
        self.assertEqual(self.sentences(piped), self.expected())

    def test_a_narrow_terminal_loses_nothing(self):
        lines, _ = self.on_a_terminal(40, {"NO_COLOR": "1"}, "limits")
        self.assertIn("Every endpoint", " ".join(" ".join(lines).split()))

    def expected(self):
        return {finding["check"]: " ".join([finding["found"] + ".", *filter(None, [finding["means"]]),
                                            *(["mend: " + finding["mend"]] if finding["mend"] else [])])
                for finding in json.loads(self.look("--json", "--all").stdout)
                if finding["check"] != "shm-space"}  # what is free changes from one look to the next

    @staticmethod
    def sentences(lines):
        """The findings of a table, by check, each in one line again."""
        begin = lines[0].index("FOUND")
        found, check = {}, None
        for line in lines[1:-2]:
            if line[:1].strip():
                check = line.split()[1]
                found[check] = ""
            text = line[begin:].strip()
            found[check] += text[:-1] if text.endswith(" \\") else text + " "
        return {check: text.strip() for check, text in found.items() if check != "shm-space"}

    def test_a_command_that_was_copied_from_the_table_is_the_same_command(self):
        commands = {finding["check"]: finding["mend"] for finding in json.loads(self.look("--json").stdout)}
        self.assertGreater(sum(len(command or "") > 60 for command in commands.values()), 1)
        table = self.look().stdout.decode()
        copied = re.findall(r"mend: ((?:.*\\\n)*.*)", table)
        self.assertEqual([shlex.split(text.replace("\\\n", " ")) for text in copied],
                         [shlex.split(command) for command in commands.values() if command])

    def test_color_is_for_terminals_and_not_for_who_says_no(self):
        self.assertIn(b"\x1b[31m", self.on_a_terminal(80, {})[1])
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn(b"\x1b[", self.on_a_terminal(80, environment)[1])
        self.assertNotIn(b"\x1b[", self.look(environment={"TERM": "xterm"}).stdout)

    def test_a_group_is_all_of_its_checks(self):
        table = json.loads(self.nonet("doctor", "--list", "--json").stdout)
        self.assertEqual([list(row) for row in table], [["check", "group", "about"]] * len(table))
        memory = {row["check"] for row in table if row["group"] == "memory"}
        found = {finding["check"] for finding in json.loads(self.look("--json", "--all", "memory", "cpus").stdout)}
        self.assertEqual(found, memory | {"cpus"})
        names = {row["check"] for row in table} | {row["group"] for row in table}
        self.assertEqual(len(names), len(table) + len({row["group"] for row in table}) - 1)  # "kernel" is both

    def test_the_list_is_for_people_too(self):
        done = self.nonet("doctor", "--list", "sockets")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        lines = cli.lines_of(done.stdout)
        self.assertEqual(lines[0].split(), ["GROUP", "CHECK", "LOOKS", "AT"])
        self.assertEqual({line.split()[0] for line in lines[1:]}, {"sockets"})
        self.assertLessEqual(max(map(len, cli.lines_of(self.nonet("doctor", "--list").stdout))), 80)

    def test_the_man_page_names_every_check_and_group(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "..", "..", "man", "nonet-doctor.1.scd"), encoding="utf-8") as file:
            page = file.read().split("# CHECKS")[1].split("\n# ")[0]
        table = json.loads(self.nonet("doctor", "--list", "--json").stdout)
        self.assertEqual(set(re.findall(r"\*([a-z-]+)\*", page)), {row["check"] for row in table})
        self.assertEqual(set(re.findall(r"(?m)^_([a-z-]+)_$", page)), {row["group"] for row in table})

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            done = self.look(stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", self.one_line(done.stderr))


if __name__ == "__main__":
    cli.main()
