# SPDX-License-Identifier: Apache-2.0
"""Help, wrong usage, and how errors look."""

import os
import pty
import re
import subprocess
import unicodedata

import cli

VERBS = ("tour", "send", "recv", "wait", "lock", "post", "signal", "stop", "doctor", "bench", "version",
         "help")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# Wrong command lines, and what the one line must mention.
WRONG = (
    ((), "nonet help"),
    (("sned",), "send"),
    (("frobnicate",), "nonet help"),
    (("--frobnicate",), "--frobnicate"),
    (("help", "tuor"), "tour"),
    (("help", "send", "recv"), "recv"),
    (("tour", "x"), "x"),
    (("tour", "--jsno"), "--json"),
    (("tour", "-x"), "-x"),
    (("tour", "--json=1"), "--json"),
    (("version", "x"), "x"),
    (("doctor", "shm-spaec"), "shm-space"),
    (("doctor", "kernel", "frobnicate"), "--list"),
    (("doctor", "--sysroot", ""), "--sysroot"),
    (("doctor", "--sysroot"), "--sysroot"),
    (("bench", "chanel"), "channel"),
    (("bench", "frobnicate"), "nonet help bench"),
    (("bench", "--seconds", "0"), "0.01"),
    (("bench", "--seconds", "61"), "60"),
    (("bench", "--seconds", "long"), "--seconds"),
    (("bench", "--plot"), "--plot"),
    (("send",), "address"),
    (("recv",), "address"),
    (("wait",), "address"),
    (("send", "unix:/a", "unix:/b"), "unix:/b"),
    (("send", "--timeout"), "--timeout"),
    (("send", "-t"), "-t"),
    (("send", "--timeout", "soon", "unix:/a"), "250ms"),
    (("send", "--timeout", "-1s", "unix:/a"), "250ms"),
    (("send", "--timeout", "1.0000000001s", "unix:/a"), "250ms"),
    (("send", "--timeout", "99999999999h", "unix:/a"), "250ms"),
    (("send", "--timeout", "1 s", "unix:/a"), "250ms"),
    (("send", "--timeout", "", "unix:/a"), "250ms"),
    (("wait", "--timeout", "x", "unix:/a"), "250ms"),
    (("recv", "--count", "0", "unix:/a"), "--count"),
    (("recv", "--count", "1K", "unix:/a"), "--count"),
    (("recv", "--count", "-1", "unix:/a"), "--count"),
    (("recv", "--max-size", "0", "unix:/a"), "--max-size"),
    (("recv", "--max-size", "2G", "unix:/a"), "--max-size"),
    (("recv", "--max-size", "1.5M", "unix:/a"), "--max-size"),
    (("recv", "--mode", "0600", "unix:/a"), "--listen"),
    (("recv", "--listen", "--mode", "888", "unix:/a"), "octal"),
    (("recv", "--listen", "--mode", "1777", "unix:/a"), "octal"),
    (("recv", "--listen", "--mode", "0", "unix:/a"), "octal"),
    (("recv", "--listen", "--mode", "rw", "unix:/a"), "octal"),
    (("send", "--null", "--whole", "unix:/a"), "--whole"),
    (("send", "--bytes", "--count", "1", "unix:/a"), "--bytes"),
    (("send", "--duplex", "--json", "unix:/a"), "--json"),
    (("send", "--duplex", "--null", "unix:/a"), "--bytes"),
    (("recv", "--duplex", "unix:/a"), "--duplex"),
    (("send", "--no-half-close", "unix:/a"), "--duplex"),
    (("recv", "--type", "x", "sysvmsg:1"), "--type"),
    (("send", "--type", "-1", "sysvmsg:1"), "--type"),
    (("send", "--priority", "32768", "posixmq:/a"), "--priority"),
    (("send", "--priority", "-1", "posixmq:/a"), "--priority"),
    (("recv", "--priority", "1", "posixmq:/a"), "--priority"),
    (("recv", "--litsen", "unix:/a"), "--listen"),
    (("signal",), "pid:"),
    (("signal", "pid:1"), "pid:"),
    (("signal", "pid:1", "TERM", "x"), "x"),
    (("signal", "pid:1", "TREM"), "TREM"),
    (("signal", "pid:1", "0"), "0"),
    (("signal", "pid:1", "33"), "33"),
    (("signal", "unix:/a", "TERM"), "pid:N"),
    (("signal", "pid:1", "RTMIN", "--value", "x"), "--value"),
    (("signal", "pid:1", "RTMIN", "--value", "2147483648"), "--value"),
    (("signal", "pid:1", "RTMIN", "--value", "1.5"), "--value"),
    (("signal", "pid:1", "TERM", "--count", "1"), "--wait"),
    (("signal", "pid:1", "TERM", "--timeout", "1s"), "--wait"),
    (("signal", "pid:1", "TERM", "--ready-fd", "1"), "--wait"),
    (("signal", "-9", "4711"), "after the process"),
    (("signal", "-TERM", "4711"), "nonet signal pid:N TERM"),
    (("signal", "TERM", "worker"), "nonet signal worker TERM"),
    (("signal", "a:b", "TERM"), "--name"),
    (("signal", "fifo:/a", "TERM"), "--name"),
    (("signal", "", "TERM"), '""'),
    (("signal", "--wait"), "signal"),
    (("signal", "--wait", "--name", "TERM"), "--name"),
    (("signal", "--wait", "--ready-fd", "x", "TERM"), "--ready-fd"),
    (("signal", "--wait", "--ready-fd", "-1", "TERM"), "--ready-fd"),
    (("signal", "--wait", "--ready-fd", "1000000", "TERM"), "1000000"),
    (("signal", "--wait", "--count", "0", "TERM"), "a whole number"),
    (("signal", "--wait", "--all", "TERM"), "--all"),
    (("signal", "--wait", "--value", "1", "TERM"), "--value"),
    (("signal", "--wait", "NOSUCH"), "NOSUCH"),
    (("post",), "posixsem:/NAME"),
    (("post", "posixsem:/a", "0"), "1 or more"),
    (("post", "posixsem:/a", "1", "2"), "2"),
    (("post", "posixsem:/a", "4294967296"), "4294967296"),
    (("stop",), "pid:"),
    (("stop", "a", "b"), "b"),
    (("stop", ""), '""'),
    (("stop", "a: b"), "--name"),
    (("stop", "a", "--grace", "soon"), "250ms"),
    (("stop", "fifo:/a"), "pid:N"),
)


def options_in(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def columns(text):
    """How many columns a terminal gives a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Help(cli.Case):
    def test_each_verb_has_help_with_an_example(self):
        for verb in VERBS:
            for arguments in (("help", verb), (verb, "--help"), (verb, "-h")):
                with self.subTest(arguments=arguments):
                    done = self.nonet(*arguments)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    self.assertTrue(done.stdout.startswith(f"Usage: nonet {verb}".encode()), done.stdout)
                    self.assertIn(b"\nExample: nonet ", done.stdout.replace(b"Example: echo hello | ", b"Example: "))
                    self.assertLessEqual(max(len(line) for line in cli.lines_of(done.stdout)), 120)

    def test_the_overview_lists_each_verb(self):
        for arguments in (("help",), ("--help",), ("-h",)):
            done = self.nonet(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            for verb in VERBS:
                self.assertRegex(done.stdout, rb"(?m)^  " + verb.encode() + rb" +\S")

    def test_version_says_which_library_is_loaded(self):
        for arguments in (("version",), ("--version",), ("-V",)):
            done = self.nonet(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertRegex(done.stdout, rb"^nonet \d+\.\d+\.\d+, library \d+\.\d+\.\d+\n$")
        done = self.nonet("version", "--json")
        found = cli.json_lines(done.stdout)[0]
        self.assertEqual(set(found), {"version", "library"})

    def test_man_pages_and_completion_know_every_option_of_help(self):
        with open(os.path.join(SOURCE, "tools", "nonet", "completion", "nonet"), encoding="utf-8") as file:
            completion = options_in(file.read())
        for verb in ("tour", "send", "recv", "wait", "lock", "post", "signal", "stop", "create", "remove", "ls", "show",
                     "doctor", "bench"):
            options = options_in(self.nonet("help", verb).stdout.decode())
            self.assertLessEqual(options, completion | {"--version"}, verb)
            with open(os.path.join(SOURCE, "man", f"nonet-{verb}.1.scd"), encoding="utf-8") as file:
                self.assertEqual(options - options_in(file.read().replace("\\-", "-")), set(), verb)


class WrongUsage(cli.Case):
    def test_wrong_usage_is_one_line_and_2(self):
        for arguments, mention in WRONG:
            with self.subTest(arguments=arguments):
                done = self.nonet(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
                self.assertIn(mention, self.one_line(done.stderr))

    def test_nothing_is_opened_before_the_usage_is_right(self):
        done = self.nonet("recv", "--listen", "--count", "x", self.address("unix"))
        self.assertEqual(done.returncode, 2)
        self.assertEqual(os.listdir(self.dir), [])


class AddressErrors(cli.Case):
    def caret(self, address, wrong):
        """A wrong address: three lines, the caret under the first column of @wrong."""
        for verb in ("send", "recv", "wait"):
            with self.subTest(verb=verb, address=address):
                done = self.nonet(verb, address, environment={"LC_ALL": "C.UTF-8"})
                self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
                sentence, shown, caret = cli.lines_of(done.stderr)
                self.assertTrue(sentence.startswith(f"nonet {verb}: "), sentence)
                self.assertEqual(shown, "  " + address)
                self.assertEqual(caret, " " * (2 + columns(address[:address.index(wrong)])) + "^")

    def test_the_caret_stands_under_the_wrong_byte(self):
        self.caret("bogus:/x", "bogus")
        self.caret("unix:/tmp/a%zz", "zz")

    def test_the_caret_counts_columns_not_bytes(self):
        self.caret("unix:/tmp/\u00e9\u00e9%zz", "zz")
        self.caret("unix:/tmp/\u4e2d\u6587%zz", "zz")

    def test_the_caret_is_right_without_a_locale_too(self):
        done = self.nonet("send", "unix:/tmp/\u00e9%zz", environment={"LC_ALL": "C"})
        self.assertEqual(cli.lines_of(done.stderr)[2], "  " + " " * len("unix:/tmp/e%") + "^")

    def test_control_characters_never_reach_the_terminal(self):
        done = self.nonet("send", "unix:/tmp/\x1b[31m%zz")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn(b"\x1b", done.stderr)
        self.assertEqual(cli.lines_of(done.stderr)[2].index("^"), 2 + len("unix:/tmp/"))

    def test_what_is_not_built_yet_is_said_in_a_sentence(self):
        done = self.nonet("send", "queue:x")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertTrue(done.stderr.startswith(b"nonet send: "))

    def on_a_terminal(self, environment):
        parent, child = pty.openpty()
        process = self.start("sned", stderr=child, environment={"TERM": "xterm", **environment})
        os.close(child)
        text = b""
        try:
            while piece := os.read(parent, 4096):
                text += piece
        except OSError:  # EIO: the last holder of the other side has gone
            pass
        os.close(parent)
        process.wait(cli.PATIENCE)
        return text

    def test_color_is_for_terminals_and_not_for_who_says_no(self):
        self.assertIn(b"\x1b[", self.on_a_terminal({}))
        self.assertNotIn(b"\x1b[", self.on_a_terminal({"NO_COLOR": "1"}))
        self.assertNotIn(b"\x1b[", self.on_a_terminal({"TERM": "dumb"}))
        self.assertNotIn(b"\x1b[", self.nonet("sned", environment={"TERM": "xterm"}).stderr)


class Completion(cli.Case):
    LIBRARY = "/usr/share/bash-completion/bash_completion"

    def complete(self, *words, command="nonet"):
        """What bash offers for the last of these words."""
        if not os.path.exists(self.LIBRARY):
            cli.skip_or_fail(self, "bash-completion isn't installed")
        script = (f". {self.LIBRARY}; . {SOURCE}/tools/nonet/completion/nonet; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_LINE=${COMP_LINE// : /:}; COMP_POINT=${#COMP_LINE}; _nonet; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script, "bash", command, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=cli.PATIENCE, cwd=self.dir)
        self.assertEqual(done.stderr, b"")
        return set(cli.lines_of(done.stdout))

    def test_verbs(self):
        self.assertEqual(self.complete("se"), {"send"})
        self.assertLessEqual(set(VERBS), self.complete(""))

    def test_options(self):
        self.assertIn("--duplex", self.complete("send", "--d"))
        self.assertNotIn("--duplex", self.complete("recv", "--d"))

    def test_checks_of_doctor(self):
        os.symlink(cli.NONET, self.path("nonet"))
        self.assertEqual(self.complete("doctor", "shm-", command=self.path("nonet")),
                         {"shm-mount", "shm-space", "shm-noexec"})
        self.assertEqual(self.complete("doctor", "--sys"), {"--sysroot"})
        os.mkdir(self.path("machine"))
        self.assertEqual(self.complete("doctor", "--sysroot", "mach"), {"machine"})

    def test_schemes(self):
        self.assertEqual(self.complete("recv", "unix"), {"unix:", "unix-seqpacket:", "unix-dgram:"})
        self.assertEqual(self.complete("wait", "pi"), {"pid:"})
        self.assertNotIn("pid:", self.complete("send", ""))

    def test_paths_after_a_scheme(self):
        os.mkfifo(self.path("pipe-one"))
        # bash splits the word at the colon, and what is offered replaces the piece after it
        self.assertEqual(self.complete("recv", "fifo", ":", self.path("pipe-")), {self.path("pipe-one")})


if __name__ == "__main__":
    cli.main()
