# SPDX-License-Identifier: Apache-2.0
"""send and recv through each carrier."""

import os
import socket
import stat

import cli

# The kernel keeps the borders of these; the others are framed.
PACKETS = ("unix-seqpacket", "unix-dgram")
BINARY = bytes(range(256)) * 3


class Transfer(cli.Case):
    def each(self, data, expected, send=(), recv=(), count=None, carriers=cli.CARRIERS):
        for carrier in carriers:
            with self.subTest(carrier=carrier):
                end = count if carrier == "unix-dgram" else None
                self.assertEqual(self.transfer(carrier, data, send, recv, end, carrier), expected)

    def test_a_line_is_a_message(self):
        self.each(b"one\ntwo\nthree\n", b"one\ntwo\nthree\n", count=3)

    def test_the_last_line_may_lack_its_newline(self):
        self.each(b"one\ntwo", b"one\ntwo\n", count=2)

    def test_empty_lines_are_empty_messages(self):
        self.each(b"\none\n\n\ntwo\n", b"\none\n\n\ntwo\n", count=5)

    def test_no_input_is_no_message(self):
        self.each(b"", b"", carriers=("fifo", "unix", "unix-seqpacket", "abstract"))

    def test_null_separates(self):
        self.each(b"one\ntwo\0\0three", b"one\ntwo\0\0three\0", ("--null",), ("-0",), count=3)

    def test_whole_is_one_message(self):
        self.each(b"one\ntwo\0" + BINARY, b"one\ntwo\0" + BINARY, ("--whole",), ("--whole",), count=1)
        self.each(b"one\n", b"one\n\n", ("--whole",), (), count=1)

    def test_whole_of_nothing_is_an_empty_message(self):
        self.each(b"", b"\n", ("--whole",), (), count=1)

    def test_bytes_are_a_stream(self):
        data = os.urandom(3 << 20)
        self.each(data, data, ("--bytes",), ("--bytes",), carriers=("fifo", "unix", "unix-seqpacket", "abstract"))

    def test_many_small_messages(self):
        data = b"".join(b"%d\n" % i for i in range(50000))
        self.each(data, data, count=50000)

    def test_messages_larger_than_the_kernels_buffers(self):
        data = os.urandom(5 << 20)
        self.each(data, data, ("--whole",), ("--whole",), carriers=("fifo", "unix", "abstract"))

    def test_packets_larger_than_recvs_first_buffer(self):
        data = os.urandom(150000)
        self.each(data, data, ("--whole",), ("--whole",), count=1, carriers=PACKETS)

    def test_count_ends_both(self):
        address = self.address("unix")
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, "--count", "2", address)
        sent = self.nonet("send", "--timeout", cli.BOUND, "--count", "2", address, stdin=b"a\nb\nc\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"a\nb\n", b""))

    def test_send_listens_too(self):
        for carrier in ("fifo", "unix", "unix-seqpacket", "abstract"):
            with self.subTest(carrier=carrier):
                address = self.address(carrier, carrier)
                sender = self.start("send", "--listen", "--timeout", cli.BOUND, address)
                sender.stdin.write(b"hello\n")
                sender.stdin.close()
                sender.stdin = None
                received = self.nonet("recv", "--timeout", cli.BOUND, address)
                self.assertEqual((received.returncode, received.stdout, received.stderr), (0, b"hello\n", b""))
                self.assertEqual(self.finish(sender), (0, b"", b""))

    def test_many_writers_of_one_fifo(self):
        os.mkfifo(self.path())
        lines = [b"%d-%d" % (writer, i) for writer in range(3) for i in range(500)]
        receiver = self.start("recv", "--timeout", cli.BOUND, self.address("fifo"))
        # one end held open for all of them, so that the stream ends after the last and not between two
        hold = os.open(self.path(), os.O_WRONLY)
        senders = [self.start("send", "--timeout", cli.BOUND, self.address("fifo")) for _ in range(3)]
        for writer, sender in enumerate(senders):
            part = lines[writer * 500:(writer + 1) * 500]
            self.assertEqual(self.finish(sender, b"\n".join(part) + b"\n"), (0, b"", b""))
        os.close(hold)
        status, out, err = self.finish(receiver)
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(sorted(out.splitlines()), sorted(lines))

    def test_two_receivers_share_a_senders_lines(self):
        """Two recv on one inherited packet socket: each message goes to one of them."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        receivers = [self.start("recv", "--timeout", cli.BOUND, f"fd:{number}", pass_fds=(number,)) for _ in range(2)]
        theirs.close()
        sent = self.nonet("send", f"fd:{ours.fileno()}", stdin=b"".join(b"%d\n" % i for i in range(100)),
                          pass_fds=(ours.fileno(),))
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        ours.close()
        got = []
        for receiver in receivers:
            status, out, err = self.finish(receiver)
            self.assertEqual((status, err), (0, b""))
            got += out.splitlines()
        self.assertEqual(sorted(got, key=int), [b"%d" % i for i in range(100)])

    def test_inherited_pipe(self):
        reader, writer = os.pipe()
        receiver = self.start("recv", "--timeout", cli.BOUND, f"fd:{reader}", pass_fds=(reader,))
        sent = self.nonet("send", f"fd:{writer}", stdin=b"through a pipe\n", pass_fds=(writer,))
        os.close(reader)
        os.close(writer)
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"through a pipe\n", b""))

    def mode(self, name):
        try:
            return stat.S_IMODE(os.stat(self.path(name)).st_mode)
        except FileNotFoundError:
            return None

    def test_mode_is_exact_whatever_the_umask(self):
        for carrier in ("fifo", "unix", "unix-seqpacket", "unix-dgram"):
            for wanted, options in ((0o600, ()), (0o666, ("--mode", "0666"))):
                with self.subTest(carrier=carrier, mode=wanted):
                    name = f"{carrier}-{wanted:o}"
                    self.start("recv", "--listen", *options, self.address(carrier, name), umask=0o027)
                    self.until(lambda: wanted == self.mode(name), "the name has its mode")

    def test_messages_are_printed_as_they_come(self):
        """What was received isn't held back while recv waits for more."""
        address = self.address("unix")
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, address)
        sender = self.start("send", "--timeout", cli.BOUND, address)
        for word in (b"one\n", b"two\n"):
            sender.stdin.write(word)
            sender.stdin.flush()
            self.read_until(receiver.stdout, word)
        self.assertEqual(self.finish(sender)[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"", b""))

    def test_few_writes_for_many_messages(self):
        """Standard output is written in large pieces. It is a packet socket here: a packet is a write."""
        data = b"0123456789\n" * 1500
        reader, writer = os.pipe()
        sent = self.nonet("send", f"fd:{writer}", stdin=data, pass_fds=(writer,))
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        os.close(writer)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            received = self.nonet("recv", f"fd:{reader}", pass_fds=(reader,), stdout=theirs)
            os.close(reader)
            self.assertEqual((received.returncode, received.stderr), (0, b""))
            theirs.close()
            writes = list(iter(lambda: ours.recv(1 << 20), b""))
        self.assertEqual(b"".join(writes), data)
        self.assertLessEqual(len(writes), 2)


if __name__ == "__main__":
    cli.main()
