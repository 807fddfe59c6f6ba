# SPDX-License-Identifier: Apache-2.0
"""nonet create and nonet remove."""

import json
import os
import socket
import stat

import cli


class Create(cli.Case):
    KEY = hex(0x4D000000 | os.getpid() & 0xFFFFFF)

    def kinds(self):
        """Address, options, and what show says then."""
        name = os.path.basename(self.dir)
        return [
            (f"fifo:{self.path('fifo')}", [], {}),
            (f"posixmq:/{name}", ["--depth", "3", "--message-size", "64"], {"messages": 0, "depth": 3}),
            (f"sysvmsg:{self.KEY}", [], {"messages": 0}),
            (f"posixsem:/{name}", ["--value", "5"], {"value": 5}),
            (f"sysvsem:{self.KEY}", ["--value", "2", "--count", "3"], {"semaphores": 3}),
            (f"posixshm:/{name}", ["--size", "64K"], {"bytes": 65536}),
            (f"sysvshm:{self.KEY}", ["--size", "8192"], {"bytes": 8192, "attached": 0}),
        ]

    def setUp(self):
        super().setUp()
        for address, _, _ in self.kinds():
            self.addCleanup(self.nonet, "remove", "--force", address)

    def refused(self, sentence, *arguments, status=1):
        result = self.nonet(*arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(sentence, result.stderr.decode())
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_each_kind_is_made_shown_and_removed(self):
        for address, options, expected in self.kinds():
            with self.subTest(address=address):
                made = self.nonet("create", "--mode", "0642", *options, address, umask=0o077)
                self.assertEqual((made.returncode, made.stdout, made.stderr), (0, b"", b""))
                shown = self.nonet("show", "--json", address)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                shown = json.loads(shown.stdout)
                self.assertEqual((shown["address"], shown["mode"]), (address, "0642"))
                self.assertEqual({key: shown[key] for key in expected}, expected)
                again = self.nonet("create", *options, address)
                self.assertEqual(again.returncode, 1, "it was there already")
                self.assertEqual(again.stderr.decode(), f"nonet create: {address.removeprefix('fifo:')} is there already: "
                                                        "open it, or remove it first\n")
                self.assertEqual(self.nonet("remove", address).returncode, 0)
                self.assertEqual(self.nonet("show", address).returncode, 1)
                self.assertEqual(self.nonet("remove", address).returncode, 1)
                self.assertEqual(self.nonet("remove", "--force", address).returncode, 0)

    def test_files(self):
        for address, options, size in ((f"file:{self.path('map')}", ["--size", "1M"], 1 << 20),
                                       (f"flock:{self.path('lock')}", [], 0)):
            self.assertEqual(self.nonet("create", "--mode", "0604", *options, address, umask=0o077).returncode, 0)
            status = os.stat(address.split(":")[1])
            self.assertEqual((stat.S_IMODE(status.st_mode), status.st_size), (0o604, size))
            self.assertGreaterEqual(status.st_blocks * 512, size)
        self.assertEqual(self.nonet("remove", f"file:{self.path('map')}").returncode, 0)
        self.assertFalse(os.path.exists(self.path("map")))

    def test_only_what_the_address_says_is_removed(self):
        os.mkfifo(self.path("fifo"))
        with open(self.path("file"), "w", encoding="ascii") as file:
            file.write("precious")
        for address in (f"fifo:{self.path('file')}", f"file:{self.path('fifo')}", f"unix:{self.path('file')}"):
            self.assertEqual(self.nonet("remove", address).returncode, 1, address)
        self.assertEqual(sorted(os.listdir(self.dir)), ["fifo", "file"])

    def test_a_socket_is_removed_once_nobody_has_it(self):
        address = f"unix:{self.path('s')}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(self.path("s"))
            self.refused("another process has a socket", "remove", address)
        self.assertEqual(self.nonet("remove", address).returncode, 0)
        self.assertFalse(os.path.exists(self.path("s")))
        self.refused("there is no", "remove", address)

    def test_one_that_fails_doesnt_keep_the_others(self):
        os.mkfifo(self.path("a"))
        result = self.nonet("remove", f"fifo:{self.path('none')}", f"fifo:{self.path('a')}")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(os.listdir(self.dir), [])

    def test_options_that_mean_nothing_are_refused(self):
        self.refused("--size is for memory", "create", "--size", "4K", "posixsem:/x", status=2)
        self.refused("needs --size", "create", "posixshm:/x", status=2)
        self.refused("--depth and --message-size are for queues", "create", "--depth", "3", "fifo:/x", status=2)
        self.refused("--value is for semaphores", "create", "--value", "0", "posixmq:/x", status=2)
        self.refused("--count is for sysvsem", "create", "--count", "2", "posixsem:/x", status=2)
        for value in ("-1", "3000000000"):
            self.refused(f'from 0 to 2147483647, not "{value}"', "create", "--value", value, "posixsem:/x", status=2)

    def test_what_no_verb_can_is_wrong_usage_and_says_what_it_can(self):
        self.refused("nonet recv --listen", "create", "unix:/x", status=2)
        self.refused("can't be made: fifo:", "create", "queue:x", status=2)
        self.refused("can't be removed: fifo:", "remove", "tcp:a:1", status=2)
        self.refused("nonet remove file:/x", "remove", "ofdlock:/x,0+5", status=2)
        self.refused("can't be shown", "show", "file:/x", status=2)
        for verb in ("send", "recv", "wait"):
            for address in ("posixshm:/x", "queue:x"):
                result = self.nonet(verb, address)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr.decode(), r"^nonet \w+: .*fifo:.*\n  \w+:/?x\n  \^\n$")

    def test_without_a_scheme_each_verb_suggests_what_it_takes(self):
        for verb, text, sentence in (
                ("post", "/x", "did you mean posixsem:/x?"), ("post", "jobs", "did you mean posixsem:/jobs, semaphore:jobs or event:jobs?"),
                ("post", "7", "did you mean sysvsem:7?"),
                ("post", "./x", "an address for this verb begins with posixsem:, sysvsem:, semaphore: or event:"),
                ("post", "@x", "an address for this verb begins with posixsem:, sysvsem:, semaphore: or event:"),
                ("post", "posxsem", "did you mean posixsem: and more"),
                ("lock", "/x", "did you mean flock:/x, ofdlock:/x, posixlock:/x or posixsem:/x?"),
                ("lock", "/a/x", "did you mean flock:/a/x, ofdlock:/a/x or posixlock:/a/x?"),
                ("create", "/x", "did you mean fifo:/x, posixmq:/x, posixsem:/x, posixshm:/x or file:/x?"),
                ("create", "7", "did you mean sysvmsg:7, sysvsem:7 or sysvshm:7?"),
                ("remove", "/a/x", "did you mean fifo:/a/x, unix:/a/x or file:/a/x?"),
                ("show", "@x", "did you mean unix:@x?"), ("send", "7", "did you mean fd:7 or sysvmsg:7?"),
                ("wait", "7", "did you mean pid:7, fd:7, sysvmsg:7 or sysvsem:7?")):
            with self.subTest(verb=verb, text=text):
                result = self.nonet(verb, text, *["true"] * (verb == "lock"))
                self.assertEqual(result.returncode, 125 if verb == "lock" else 2)
                first, *caret = result.stderr.decode().splitlines()
                self.assertIn(sentence, first)
                self.assertEqual(caret, [f"  {text}", "  ^"])

    def test_what_wait_can_is_said_whole(self):
        for address in ("posixshm:/x", "condition:x"):
            result = self.nonet("wait", address)
            self.assertEqual(result.returncode, 2)
            for scheme in ("fifo", "fd", "unix", "unix-seqpacket", "unix-dgram", "tcp", "udp", "posixmq", "sysvmsg",
                           "pid", "posixsem", "sysvsem", "semaphore", "event", "mutex", "rwlock", "flock", "ofdlock",
                           "posixlock"):
                self.assertIn(f" {scheme}:", result.stderr.decode())

    def test_nothing_is_said_of_making_what_is_to_be_removed(self):
        for address, _, _ in self.kinds():
            with self.subTest(address=address):
                result = self.nonet("remove", address)
                self.assertEqual(result.returncode, 1)
                self.assertNotIn(b"make", result.stderr)
        self.refused("there is none", "remove", f"posixshm:/{os.path.basename(self.dir)}")

    def test_an_address_is_needed(self):
        self.refused("needs an address", "remove", status=2)


if __name__ == "__main__":
    cli.main()
