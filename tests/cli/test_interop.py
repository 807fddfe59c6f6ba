# SPDX-License-Identifier: Apache-2.0
"""With programs that aren't nonet: socat, nc, a Redis server."""

import os
import shutil
import socket
import subprocess

import cli


class Interop(cli.Case):
    def tool(self, name):
        path = shutil.which(name)
        if not path:
            cli.skip_or_fail(self, f"{name} isn't installed")
        return path

    def other(self, *command, **options):
        return self.start(*command[1:], command=self.tool(command[0]), **options)


class Socat(Interop):
    def test_socat_receives_what_nonet_sends(self):
        receiver = self.other("socat", "-u", f"UNIX-LISTEN:{self.path()}", "STDOUT")
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, self.address("unix"), stdin=b"hello\nsocat\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"hello\nsocat\n", b""))

    def test_nonet_receives_what_socat_sends(self):
        receiver = self.start("recv", "--listen", "--bytes", "--timeout", cli.BOUND, self.address("unix"))
        self.until_socket(self.path())
        sender = self.other("socat", "-u", "STDIN", f"UNIX-CONNECT:{self.path()}")
        self.assertEqual(self.finish(sender, b"hello\nnonet\n")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"hello\nnonet\n", b""))

    def test_packets_are_messages_for_both(self):
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, self.address("unix-seqpacket"))
        self.until_socket(self.path())
        sender = self.other("socat", "-u", "STDIN", f"UNIX-CONNECT:{self.path()},type=5")
        self.assertEqual(self.finish(sender, b"a packet")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"a packet\n", b""))

    def test_datagrams(self):
        receiver = self.start("recv", "--listen", "--count", "1", "--timeout", cli.BOUND, self.address("unix-dgram"))
        self.until_socket(self.path())
        sender = self.other("socat", "-u", "STDIN", f"UNIX-SENDTO:{self.path()}")
        self.assertEqual(self.finish(sender, b"a datagram")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"a datagram\n", b""))

    def test_abstract_names_are_the_same(self):
        name = os.path.basename(self.dir)
        receiver = self.other("socat", "-u", f"ABSTRACT-LISTEN:{name}", "STDOUT")
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, f"unix:@{name}", stdin=b"hello\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"hello\n", b""))

    def test_duplex_with_an_echo(self):
        self.other("socat", f"UNIX-LISTEN:{self.path()}", "EXEC:cat")
        data = os.urandom(2 << 20)
        done = self.nonet("send", "--duplex", "--timeout", cli.BOUND, self.address("unix"), stdin=data)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, data)

    def test_duplex_that_listens(self):
        server = self.start("send", "--duplex", "--listen", "--timeout", cli.BOUND, self.address("unix"))
        self.until_socket(self.path())
        client = self.other("socat", "-t", "15", "STDIO", f"UNIX-CONNECT:{self.path()}")
        client.stdin.write(b"question\n")
        client.stdin.flush()
        self.read_until(server.stdout, b"question\n")
        server.stdin.write(b"answer\n")
        server.stdin.close()
        server.stdin = None
        self.read_until(client.stdout, b"answer\n")
        self.assertEqual(self.finish(client)[0], 0)
        self.assertEqual(self.finish(server), (0, b"", b""))


    def test_duplex_gives_up_on_one_who_never_ends(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path())
            listener.listen()
            done = self.nonet("send", "--duplex", "--timeout", "150ms", self.address("unix"), stdin=b"hello")
            self.assertEqual((done.returncode, done.stdout), (124, b""))
            self.one_line(done.stderr)
            client, _ = listener.accept()
            with client:
                self.assertEqual(client.recv(100), b"hello")

    def test_duplex_prints_what_came_from_one_who_reads_no_more(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path())
            listener.listen()
            process = self.start("send", "--duplex", self.address("unix"))
            client, _ = listener.accept()
            with client:
                client.send(b"go away\n")
                self.read_until(process.stdout, b"go away\n")
                client.shutdown(socket.SHUT_RD)
                process.stdin.write(b"x" * 1000)
                process.stdin.flush()
                client.send(b"I said\n")
            status, out, err = self.finish(process)
            self.assertEqual((status, out), (1, b"I said\n"))
            self.one_line(err)


class Ports(Interop):
    """TCP and UDP. The host is this process's own, so that nobody else has its ports."""

    def setUp(self):
        super().setUp()
        number = os.getpid()
        self.host = f"127.{80 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        with socket.socket() as free:
            free.bind((self.host, 0))
            self.port = free.getsockname()[1]
        self.place = f"{self.host}:{self.port}"

    def until_port(self, table="tcp"):
        """Waits until somebody listens at the port, or has bound it."""
        number = "".join(f"{int(part):02X}" for part in reversed(self.host.split(".")))
        wanted = (f"{number}:{self.port:04X}", "0A" if table == "tcp" else "07")

        def is_there():
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                return any((words[1], words[3]) == wanted for words in map(str.split, file))

        self.until(is_there, f"{self.place} is served")

    def test_socat_receives_what_nonet_sends(self):
        receiver = self.other("socat", "-u", f"TCP-LISTEN:{self.port},bind={self.host}", "STDOUT")
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, f"tcp:{self.place}", stdin=b"hello\nsocat\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"hello\nsocat\n", b""))

    def test_nonet_receives_what_socat_sends(self):
        receiver = self.start("recv", "--listen", "--bytes", "--timeout", cli.BOUND, f"tcp:{self.place}")
        self.until_port()
        sender = self.other("socat", "-u", "STDIN", f"TCP:{self.place}")
        self.assertEqual(self.finish(sender, b"hello\nnonet\n")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"hello\nnonet\n", b""))

    def test_duplex_with_an_echo(self):
        self.other("socat", f"TCP-LISTEN:{self.port},bind={self.host}", "EXEC:cat")
        data = os.urandom(2 << 20)
        done = self.nonet("send", "--duplex", "--timeout", cli.BOUND, f"tcp:{self.place}", stdin=data)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, data)

    def test_messages_between_two_commands(self):
        receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, f"tcp:{self.place}")
        sent = self.nonet("send", "--timeout", cli.BOUND, f"tcp:{self.place}", stdin=b"one\ntwo\n\nfour\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"one\ntwo\n\nfour\n", b""))

    def test_datagrams_of_socat(self):
        receiver = self.start("recv", "--listen", "--count", "1", "--timeout", cli.BOUND, f"udp:{self.place}")
        self.until_port("udp")
        sender = self.other("socat", "-u", "STDIN", f"UDP:{self.place}")
        self.assertEqual(self.finish(sender, b"a datagram")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"a datagram\n", b""))

    def test_datagrams_for_socat(self):
        receiver = self.other("socat", "-u", f"UDP-RECV:{self.port},bind={self.host}", "STDOUT")
        self.until_port("udp")
        sent = self.nonet("send", f"udp:{self.place}", stdin=b"a datagram\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.read_until(receiver.stdout, b"a datagram")

    def test_nc_both_ways(self):
        receiver = self.other("nc", "-l", self.host, str(self.port), stdin=subprocess.DEVNULL)
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, f"tcp:{self.place}", stdin=b"hello\nnc\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver)[:2], (0, b"hello\nnc\n"))
        receiver = self.start("recv", "--listen", "--bytes", "--timeout", cli.BOUND, f"tcp:{self.place}")
        self.until_port()
        sender = self.other("nc", "-N", self.host, str(self.port))
        self.assertEqual(self.finish(sender, b"hello\nnonet\n")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"hello\nnonet\n", b""))

    def test_a_redis_server(self):
        self.start("--port", str(self.port), "--bind", self.host, "--dir", self.dir, "--save", "", "--appendonly",
                   "no", "--daemonize", "no", command=self.tool("redis-server"), stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
        done = self.nonet("send", "--duplex", "--no-half-close", "--timeout", cli.BOUND, f"tcp:{self.place}",
                          stdin=b"SET player nine\r\nGET player\r\nQUIT\r\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, b"+OK\r\n$4\r\nnine\r\n+OK\r\n")

    def test_nobody_who_listens(self):
        done = self.nonet("send", f"tcp:{self.place}", stdin=b"a\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"nobody listens at {self.place}", self.one_line(done.stderr))
        done = self.nonet("send", "--timeout", "100ms", f"tcp:{self.place}", stdin=b"a\n")
        self.assertEqual(done.returncode, 124)


class Netcat(Interop):
    def test_nc_receives_what_nonet_sends(self):
        receiver = self.other("nc", "-lU", self.path(), stdin=subprocess.DEVNULL)
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, self.address("unix"), stdin=b"hello\nnc\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver)[:2], (0, b"hello\nnc\n"))

    def test_nonet_receives_what_nc_sends(self):
        receiver = self.start("recv", "--listen", "--bytes", "--timeout", cli.BOUND, self.address("unix"))
        self.until_socket(self.path())
        sender = self.other("nc", "-NU", self.path())
        self.assertEqual(self.finish(sender, b"hello\nnonet\n")[0], 0)
        self.assertEqual(self.finish(receiver), (0, b"hello\nnonet\n", b""))


class Shell(Interop):
    def test_a_fifo_shared_with_cat(self):
        os.mkfifo(self.path())
        receiver = self.other("cat", self.path())
        sent = self.nonet("send", "--bytes", "--timeout", cli.BOUND, self.address("fifo"), stdin=b"hello\ncat\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, b""))
        self.assertEqual(self.finish(receiver), (0, b"hello\ncat\n", b""))


class Redis(Interop):
    def setUp(self):
        super().setUp()
        server = self.tool("redis-server")
        self.socket = self.path("redis.sock")
        self.start("--port", "0", "--unixsocket", self.socket, "--dir", self.dir, "--save", "", "--appendonly", "no",
                   "--daemonize", "no", command=server, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.until(self.answers, "the Redis server answers")

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.socket)
                client.send(b"PING\r\n")
                return client.recv(100) == b"+PONG\r\n"
        except OSError:
            return False

    def ask(self, commands, *options):
        done = self.nonet("send", "--duplex", *options, "--timeout", cli.BOUND, "unix:" + self.socket, stdin=commands)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def test_ping(self):
        self.assertEqual(self.ask(b"PING\r\n"), b"+PONG\r\n")

    def test_a_value_is_kept(self):
        self.assertEqual(self.ask(b"SET player nine\r\nGET player\r\n"), b"+OK\r\n$4\r\nnine\r\n")

    def test_more_than_the_socket_holds_both_ways(self):
        """Neither side waits for the other to read first. Redis drops its answers when it reads a half-close."""
        self.ask(b"SET large " + b"x" * 10000 + b"\r\n")
        commands = b"GET large\r\n" * 1000 + b"QUIT\r\n"
        answer = self.ask(commands, "--no-half-close")
        self.assertEqual(answer, (b"$10000\r\n" + b"x" * 10000 + b"\r\n") * 1000 + b"+OK\r\n")

    def test_a_conversation(self):
        process = self.start("send", "--duplex", "unix:" + self.socket)
        for command, answer in ((b"SET a 1\r\n", b"+OK\r\n"), (b"INCR a\r\n", b":2\r\n")):
            process.stdin.write(command)
            process.stdin.flush()
            self.assertEqual(self.read_until(process.stdout, b"\n"), answer)
        self.assertEqual(self.finish(process), (0, b"", b""))


if __name__ == "__main__":
    cli.main()
