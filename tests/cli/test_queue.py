# SPDX-License-Identifier: Apache-2.0
"""send and recv over message queues, and with a program that uses the plain calls."""

import os
import signal

import cli

PLAIN = os.environ["NONET_PLAIN_QUEUE"]


class Queue(cli.Case):
    def setUp(self):
        super().setUp()
        # Nobody else has these: our process's number is in them.
        self.names = {"posix": f"/nonet-test-{os.getpid()}-0-cli", "sysv": hex(0x4E000000 | (os.getpid() & 0xFFFF) << 8)}
        self.addresses = {"posix": f"posixmq:{self.names['posix']}", "sysv": f"sysvmsg:{self.names['sysv']}"}

    def plain(self, kind, verb, *arguments):
        process = self.start(kind, verb, self.names[kind], *arguments, command=PLAIN)
        return process

    def plain_now(self, kind, verb, *arguments):
        status, out, err = self.finish(self.plain(kind, verb, *arguments))
        self.assertEqual((status, err), (0, b""))
        return out

    def each(self):
        for kind, address in self.addresses.items():
            with self.subTest(kind=kind):
                self.plain_now(kind, "make")
                try:
                    yield kind, address
                finally:
                    self.plain_now(kind, "remove")

    def receive(self, address, *arguments, count=1):
        done = self.nonet("recv", "--timeout", cli.BOUND, "--count", str(count), *arguments, address)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def send(self, address, data, *arguments):
        done = self.nonet("send", "--timeout", cli.BOUND, *arguments, address, stdin=data)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, b"", b""))

    def test_lines_go_through_a_queue_that_stays(self):
        for _, address in self.each():
            self.send(address, b"one\n\nthree\n")
            self.assertEqual(self.receive(address, count=3), b"one\n\nthree\n")

    def test_more_than_fits_waits_for_its_receiver(self):
        data = b"".join(b"%d\n" % i for i in range(5000))
        for _, address in self.each():
            receiver = self.start("recv", "--timeout", cli.BOUND, "--count", "5000", address)
            self.send(address, data)
            self.assertEqual(self.finish(receiver), (0, data, b""))

    def test_listen_makes_it_with_its_mode(self):
        for kind, address in self.addresses.items():
            with self.subTest(kind=kind):
                receiver = self.start("recv", "--listen", "--mode", "0660", "--timeout", cli.BOUND, "--count", "1",
                                      address)
                self.send(address, b"hello\n")
                self.assertEqual(self.finish(receiver), (0, b"hello\n", b""))
                self.plain_now(kind, "remove")

    def test_a_queue_that_is_not_there(self):
        for address in self.addresses.values():
            done = self.nonet("send", address, stdin=b"x\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f'there is none; --listen makes it, and so does "nonet create {address}"',
                          self.one_line(done.stderr))
            done = self.nonet("recv", "--timeout", "20ms", address)
            self.assertEqual(done.returncode, 124)

    def test_nothing_comes_and_nothing_fits(self):
        for _, address in self.each():
            done = self.nonet("recv", "--timeout", "20ms", address)
            self.assertEqual(done.returncode, 124)
            self.assertIn("had no such message before the deadline", self.one_line(done.stderr))
            done = self.nonet("send", "--timeout", "20ms", address, stdin=b"%1000d\n" % 0 * 100)
            self.assertEqual(done.returncode, 124)
            self.assertIn("had no room for the message before the deadline", self.one_line(done.stderr))

    def test_a_line_that_is_too_long(self):
        for _, address in self.each():
            done = self.nonet("send", address, stdin=b"%9000d\n" % 0)
            self.assertEqual(done.returncode, 1)
            self.assertIn("line 1", self.one_line(done.stderr))

    def test_the_highest_priority_comes_first(self):
        self.plain_now("posix", "make")
        address = self.addresses["posix"]
        for priority, word in (("3", b"three\n"), ("32767", b"most\n"), ("0", b"none\n")):
            self.send(address, word, "--priority", priority)
        self.assertEqual(self.receive(address, count=3), b"most\nthree\nnone\n")
        self.plain_now("posix", "remove")

    def test_a_receiver_chooses_by_type(self):
        self.plain_now("sysv", "make")
        address = self.addresses["sysv"]
        self.send(address, b"one\n")
        for kind in ("5", "3", "9"):
            self.send(address, kind.encode() + b"\n", "--type", kind)
        self.assertEqual(self.receive(address, "--type", "5"), b"5\n")
        self.assertEqual(self.nonet("recv", "--timeout", "10ms", "--type", "5", address).returncode, 124)
        self.assertEqual(self.receive(address, "--type", "-4", count=2), b"one\n3\n")
        self.assertEqual(self.nonet("recv", "--timeout", "10ms", "--type", "-4", address).returncode, 124)
        self.assertEqual(self.receive(address), b"9\n")
        self.plain_now("sysv", "remove")

    def test_json_tells_type_and_priority(self):
        for kind, option, key, value in (("posix", "--priority", "priority", 7), ("sysv", "--type", "type", 9)):
            self.plain_now(kind, "make")
            address = self.addresses[kind]
            self.send(address, b"a\n", option, str(value))
            self.send(address, b"b\n")
            got = cli.json_lines(self.receive(address, "--json", count=2))
            self.assertEqual(got, [{"size": 1, key: value, "text": "a"},
                                   {"size": 1, key: 0 if kind == "posix" else 1, "text": "b"}])
            self.send(address, b"c\n")
            got = cli.json_lines(self.nonet("recv", "--bytes", "--json", "--timeout", "0", address).stdout)
            self.assertEqual(got, [{"size": 1, "text": "c"}])
            self.plain_now(kind, "remove")

    def test_what_has_no_type_or_priority_says_so(self):
        for arguments in (("--type", "2", "posixmq:/x"), ("--priority", "2", "sysvmsg:1"), ("--type", "2", "unix:/x"),
                          ("--priority", "2", "fifo:/x")):
            done = self.nonet("send", *arguments, stdin=b"x\n")
            self.assertEqual(done.returncode, 2)
            self.assertRegex(self.one_line(done.stderr), r"--type is for sysvmsg:|--priority is for posixmq:")

    def test_what_goes_one_way_is_no_duplex(self):
        for address in ("posixmq:/x", "sysvmsg:1", "fifo:/x"):
            done = self.nonet("send", "--duplex", address, stdin=b"x")
            self.assertEqual(done.returncode, 2)
            self.assertIn("both ways", self.one_line(done.stderr))

    def test_what_another_receiver_took_was_not_too_large(self):
        """Between the look at a message over 64 KiB and its taking: wait for the next one, or take it if it is there."""
        address = self.addresses["sysv"]
        thief = {"LD_PRELOAD": os.environ["NONET_THIEF"], "ASAN_OPTIONS": "verify_asan_link_order=0"}
        for next_is_there in (True, False):
            with self.subTest(next_is_there=next_is_there):
                self.plain_now("sysv", "make")
                self.send(address, b"theirs\nours\n" if next_is_there else b"theirs\n")
                receiver = self.start("recv", "--timeout", cli.BOUND, "--count", "1", address, environment=thief)
                self.read_until(receiver.stderr, b"theirs")
                if not next_is_there:
                    self.send(address, b"ours\n")
                self.assertEqual(self.finish(receiver), (0, b"ours\n", b""))
                self.plain_now("sysv", "remove")

    def test_a_signal_ends_a_receiver(self):
        for _, address in self.each():
            receiver = self.start("recv", address)
            self.send(address, b"x\n")
            self.read_until(receiver.stdout, b"x\n")
            receiver.send_signal(signal.SIGTERM)
            self.assertEqual(self.finish(receiver)[0], cli.status_of_signal(signal.SIGTERM))

    def test_removed_under_a_receiver(self):
        self.plain_now("sysv", "make")
        receiver = self.start("recv", self.addresses["sysv"])
        self.send(self.addresses["sysv"], b"x\n")
        self.read_until(receiver.stdout, b"x\n")
        self.plain_now("sysv", "remove")
        status, _, err = self.finish(receiver)
        self.assertEqual(status, 1)
        self.assertIn("was removed", self.one_line(err))

    def test_a_plain_program_receives(self):
        for kind, address in self.each():
            waiting = self.plain(kind, "recv", *(["7"] if kind == "sysv" else []))
            self.send(address, b"hello plain\n", "--type" if kind == "sysv" else "--priority", "7")
            self.assertEqual(self.finish(waiting), (0, b"7 hello plain\n", b""))

    def test_a_plain_program_sends(self):
        for kind, address in self.each():
            self.plain_now(kind, "send", "4", "hello nonet")
            self.plain_now(kind, "send", "6", "and again")
            self.assertEqual(self.receive(address, count=2),
                             b"hello nonet\nand again\n" if kind == "sysv" else b"and again\nhello nonet\n")


if __name__ == "__main__":
    cli.main()
