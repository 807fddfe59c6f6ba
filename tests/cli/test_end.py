# SPDX-License-Identifier: Apache-2.0
"""How send and recv end: timeouts, limits, failures, signals, the other side's death."""

import os
import pty
import select
import signal
import socket
import time

import cli


class Timeout(cli.Case):
    def test_nobody_listens_and_no_timeout_is_1_at_once(self):
        for carrier in ("unix", "unix-seqpacket", "unix-dgram", "abstract"):
            for verb in ("send", "recv"):
                with self.subTest(carrier=carrier, verb=verb):
                    if (carrier, verb) == ("unix-dgram", "recv"):
                        continue  # a datagram socket without a name: nobody could send to it
                    done = self.nonet(verb, self.address(carrier))
                    self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr)
                    self.one_line(done.stderr)

    def test_nobody_comes_within_the_timeout_is_124(self):
        os.mkfifo(self.path("fifo"))
        for arguments in (("send", "fifo:" + self.path("fifo")), ("recv", "fifo:" + self.path("fifo")),
                          ("send", self.address("unix", "a")), ("recv", "--listen", self.address("unix", "b")),
                          ("send", "--listen", self.address("unix-seqpacket", "c")),
                          ("recv", "--listen", self.address("abstract", "d"))):
            with self.subTest(arguments=arguments):
                start = time.monotonic()
                done = self.nonet(*arguments, "--timeout", "150ms", stdin=b"x\n")
                took = time.monotonic() - start
                self.assertEqual((done.returncode, done.stdout), (124, b""), done.stderr)
                self.one_line(done.stderr)
                self.assertGreaterEqual(took, 0.15)
        self.assertEqual(os.listdir(self.dir), ["fifo"])

    def test_no_message_within_the_timeout_is_124_and_what_came_is_printed(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.send(b"one")
            done = self.nonet("recv", "--timeout", "150ms", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            self.assertEqual((done.returncode, done.stdout), (124, b"one\n"))
            self.one_line(done.stderr)

    def test_a_timeout_of_nothing_takes_what_is_there(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.send(b"one")
            ours.send(b"two")
            done = self.nonet("recv", "--timeout", "0", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            self.assertEqual((done.returncode, done.stdout), (124, b"one\ntwo\n"))

    def test_nobody_takes_a_message_within_the_timeout_is_124(self):
        reader, writer = os.pipe()
        done = self.nonet("send", "--whole", "--timeout", "150ms", f"fd:{writer}", stdin=b"x" * 200000,
                          pass_fds=(writer,))
        os.close(reader)
        os.close(writer)
        self.assertEqual(done.returncode, 124)
        self.one_line(done.stderr)

    def test_the_timeout_is_each_messages(self):
        """A sender slower in all than the timeout, but not with any message, is no timeout."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            receiver = self.start("recv", "--timeout", "1s", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            theirs.close()
            start = time.monotonic()
            while time.monotonic() - start < 1.2:
                ours.send(b"tick")
                self.read_until(receiver.stdout, b"tick\n")
                select.select([], [], [], 0.1)  # the pace is what is tested: nothing is waited for
            ours.close()
            self.assertEqual(self.finish(receiver)[0], 0)


class Limits(cli.Case):
    def feed(self, *arguments, stdin):
        reader, writer = os.pipe()
        done = self.nonet("send", *arguments, f"fd:{writer}", stdin=stdin, pass_fds=(writer,))
        os.close(writer)
        os.close(reader)
        return done

    def test_a_line_over_the_limit_is_named_by_its_number(self):
        done = self.feed("--max-size", "10", stdin=b"short\n0123456789\n01234567890\nmore\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 3 ", self.one_line(done.stderr))
        self.assertIn("10 bytes", self.one_line(done.stderr))

    def test_a_line_without_end_is_not_gathered_beyond_the_limit(self):
        with open("/dev/zero", "rb") as zero:
            reader, writer = os.pipe()
            done = self.nonet("send", "--max-size", "1M", f"fd:{writer}", stdin_file=zero, pass_fds=(writer,))
            os.close(reader)
            os.close(writer)
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 1 ", self.one_line(done.stderr))

    def test_the_whole_over_the_limit(self):
        done = self.feed("--whole", "--max-size", "10", stdin=b"0123456789a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--max-size", self.one_line(done.stderr))
        done = self.feed("--null", "--max-size", "4", stdin=b"abc\0abcde\0")
        self.assertIn("message 2 ", self.one_line(done.stderr))

    def test_a_packet_over_what_the_kernel_takes(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            done = self.nonet("send", f"fd:{ours.fileno()}", stdin=b"a\n" + b"x" * 4000000 + b"\n",
                              pass_fds=(ours.fileno(),))
            self.assertEqual(done.returncode, 1)
            self.assertIn("line 2 (4000000 bytes)", self.one_line(done.stderr))

    def test_a_message_over_recvs_limit(self):
        address = self.address("unix")
        receiver = self.start("recv", "--listen", "--max-size", "100", "--timeout", cli.BOUND, address)
        self.nonet("send", "--timeout", cli.BOUND, address, stdin=b"x" * 101 + b"\n")
        status, out, err = self.finish(receiver)
        self.assertEqual((status, out), (1, b""))
        self.one_line(err)


class Failures(cli.Case):
    def test_a_full_disk_is_1(self):
        with open("/dev/full", "wb") as full:
            reader, writer = os.pipe()
            self.nonet("send", f"fd:{writer}", stdin=b"x\n", pass_fds=(writer,))
            os.close(writer)
            for options in ((), ("--json",)):
                done = self.nonet("recv", *options, f"fd:{reader}", pass_fds=(reader,), stdout=full)
                if options:
                    continue
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output", self.one_line(done.stderr))
            os.close(reader)
            for arguments in (("help",), ("version",), ("tour", "--help")):
                done = self.nonet(*arguments, stdout=full)
                self.assertEqual(done.returncode, 1)
                self.one_line(done.stderr)

    def test_closed_standard_descriptors_are_nobody_elses(self):
        for verb, closed in (("recv", 1), ("send", 0)):
            with self.subTest(verb=verb):
                path = self.path(verb)
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(path)
                    listener.listen()
                    listener.settimeout(10)
                    child = os.fork()
                    if child == 0:
                        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
                        os.close(closed)
                        os.execv(cli.NONET, ["nonet", verb, "unix:" + path])
                    peer, _ = listener.accept()
                    with peer:
                        peer.settimeout(10)
                        if verb == "recv":
                            peer.sendall(b"n\x03\0\0" + b"\x02\0\0\0" * 2 + b"\0\0\0\0hi\x01")
                            peer.shutdown(socket.SHUT_WR)
                        self.assertEqual(peer.recv(100), b"")
                    self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 1)

    def test_unreadable_input_is_1(self):
        reader, writer = os.pipe()
        directory = os.open(self.dir, os.O_RDONLY)
        done = self.nonet("send", f"fd:{writer}", stdin_file=directory, pass_fds=(writer,))
        for fd in (reader, writer, directory):
            os.close(fd)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard input", self.one_line(done.stderr))

    def test_a_reader_that_had_enough(self):
        """recv | head: recv dies by SIGPIPE as any filter, having removed its path; no message has to tell it."""
        address = self.address("unix-dgram")
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, address)
        self.until_socket(self.path())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(self.path())
            sender.send(b"one")
            self.read_until(receiver.stdout, b"one\n")
            receiver.stdout.close()
            receiver.stdout = None
        status, _, err = self.finish(receiver)
        self.assertEqual((status, err), (cli.status_of_signal(signal.SIGPIPE), b""))
        self.assertEqual(os.listdir(self.dir), [])

    def test_a_reader_that_had_enough_where_sigpipe_is_ignored(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = self.nonet("help", stdout=writer, restore_signals=False,
                          preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(writer)
        self.assertEqual(done.returncode, 1)
        self.one_line(done.stderr)

    def test_the_receiver_has_gone(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        theirs.close()
        with ours:
            done = self.nonet("send", f"fd:{ours.fileno()}", stdin=b"x\n", pass_fds=(ours.fileno(),))
        self.assertEqual(done.returncode, 1)
        self.one_line(done.stderr)

    def test_a_sender_killed_in_the_middle_of_a_message_is_1(self):
        """What a sender got out before it was killed, large as its message was, is passed on to a receiver."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with open(self.path("large"), "wb") as file:
            file.write(b"x" * (8 << 20))
        with open(self.path("large"), "rb") as file:
            sender = self.start("send", "--whole", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),), stdin=file)
        theirs.close()
        torn = ours.recv(100)
        self.assertTrue(torn)
        sender.kill()
        sender.wait(cli.PATIENCE)
        torn += b"".join(iter(lambda: ours.recv(1 << 20), b""))
        ours.close()
        self.assertLess(len(torn), 8 << 20)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        receiver = self.start("recv", "--whole", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
        theirs.close()
        ours.sendall(torn)
        ours.close()
        status, out, err = self.finish(receiver)
        self.assertEqual((status, out), (1, b""))
        self.one_line(err)


class Signals(cli.Case):
    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def test_a_signal_while_listening_removes_the_path(self):
        for carrier in ("unix", "unix-seqpacket", "unix-dgram"):
            for number in self.SIGNALS:
                for verb in ("send", "recv"):
                    if (carrier, verb) == ("unix-dgram", "send"):
                        continue
                    with self.subTest(carrier=carrier, number=number, verb=verb):
                        process = self.start(verb, "--listen", self.address(carrier))
                        self.until_socket(self.path())
                        process.send_signal(number)
                        self.assertEqual(self.finish(process), (cli.status_of_signal(number), b"", b""))
                        self.assertEqual(os.listdir(self.dir), [])

    def test_a_signal_while_receiving_loses_nothing_that_came(self):
        for number in self.SIGNALS:
            with self.subTest(number=number):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with ours, theirs:
                    receiver = self.start("recv", f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
                    ours.send(b"one")
                    self.read_until(receiver.stdout, b"one\n")
                    receiver.send_signal(number)
                    self.assertEqual(self.finish(receiver), (cli.status_of_signal(number), b"", b""))

    def test_a_signal_ends_a_sender_that_is_stuck(self):
        reader, writer = os.pipe()
        sender = self.start("send", "--whole", f"fd:{writer}", pass_fds=(writer,))
        os.close(writer)
        sender.stdin.write(b"x" * (1 << 20))
        sender.stdin.close()
        sender.stdin = None
        self.until(lambda: select.select([reader], [], [], 0)[0], "the message begins to come")
        sender.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(sender), (cli.status_of_signal(signal.SIGINT), b"", b""))
        os.close(reader)

    def test_a_signal_that_the_caller_ignores_stays_ignored(self):
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, self.address("unix"),
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.until_socket(self.path())
        receiver.send_signal(signal.SIGINT)
        sent = self.nonet("send", self.address("unix"), stdin=b"still there\n")
        self.assertEqual(sent.returncode, 0)
        self.assertEqual(self.finish(receiver), (0, b"still there\n", b""))

    def test_a_path_left_by_a_kill_is_taken_over(self):
        first = self.start("recv", "--listen", self.address("unix"))
        self.until_socket(self.path())
        first.kill()
        first.wait(cli.PATIENCE)
        self.assertEqual(os.listdir(self.dir), ["x"])
        self.assertEqual(self.transfer("unix", b"again\n"), b"again\n")


class Progress(cli.Case):
    def test_progress_shows_on_a_terminal_and_is_erased(self):
        for number in (None, signal.SIGINT):
            with self.subTest(number=number):
                parent, child = pty.openpty()
                reader, writer = os.pipe()
                with open("/dev/zero", "rb") as zero:
                    sender = self.start("send", "--bytes", f"fd:{writer}", stdin=zero, stderr=child,
                                        pass_fds=(writer,))
                os.close(writer)
                os.close(child)
                text = b""
                deadline = time.monotonic() + cli.PATIENCE
                while b"iB/s" not in text:
                    ready, _, _ = select.select([parent, reader], [], [], cli.PATIENCE)
                    self.assertTrue(ready and time.monotonic() < deadline, text)
                    if reader in ready:
                        os.read(reader, 1 << 16)
                    if parent in ready:
                        text += os.read(parent, 4096)
                if number:
                    sender.send_signal(number)
                else:
                    os.close(reader)
                sender.wait(cli.PATIENCE)
                try:
                    while piece := os.read(parent, 4096):
                        text += piece
                except OSError:  # EIO: the last holder of the other side has gone
                    pass
                os.close(parent)
                if number:
                    os.close(reader)
                    self.assertEqual(sender.returncode, cli.status_of_signal(number))
                    self.assertTrue(text.endswith(b"\r\x1b[K"), text[-80:])
                else:
                    self.assertEqual(sender.returncode, 1)
                    self.assertIn(b"\r\x1b[K", text)
                    self.assertNotIn(b"iB/s", text.rsplit(b"\r\x1b[K", 1)[1])

    def test_none_without_a_terminal(self):
        address = self.address("unix")
        receiver = self.start("recv", "--listen", "--bytes", "--timeout", cli.BOUND, address)
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, address, stdin=b"x")
        self.assertEqual(sent.stderr, b"")
        self.assertEqual(self.finish(receiver)[2], b"")


if __name__ == "__main__":
    cli.main()
