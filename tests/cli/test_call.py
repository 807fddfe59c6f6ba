# SPDX-License-Identifier: Apache-2.0
"""nonet call and nonet reply."""

import json
import os
import shutil
import signal
import tempfile

import cli


class Call(cli.Case):
    def setUp(self):
        super().setUp()
        self.domain = tempfile.mkdtemp(prefix="cli-call-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.domain)
        self.channel = f"channel:{self.domain}/x"

    def reply(self, *command, options=()):
        """nonet reply, once there is a channel: calls wait for it with --wait."""
        server = self.start("reply", *options, self.channel, "--", *command)
        self.until(lambda: os.path.exists(f"{self.domain}/x.channel"), "there is a channel")
        return server

    def call(self, *arguments, **options):
        return self.nonet("call", "--wait", "--timeout", cli.BOUND, self.channel, *arguments, **options)

    def replied(self, wanted, *arguments, **options):
        done = self.call(*arguments, **options)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, wanted, b""))

    def failed(self, code, wanted, *arguments):
        done = self.call(*arguments)
        self.assertEqual((done.returncode, done.stdout), (1, wanted))
        self.assertIn(f"with code {code}", self.one_line(done.stderr))

    def test_a_command_answers(self):
        server = self.reply("tr", "a-z", "A-Z", options=("--count", "4"))
        self.replied(b"HELLO", "hello")
        self.replied(b"BYTES\0\n", stdin=b"bytes\0\n")
        self.replied(b"", "")
        done = self.nonet("call", "--json", "-w", "-t", cli.BOUND, self.channel, "json")
        self.assertEqual(json.loads(done.stdout), {"size": 4, "text": "JSON", "code": 0})
        self.assertEqual(self.finish(server), (0, b"", b""))

    def test_its_channel_is_shown_and_listed(self):
        self.reply("cat", options=("--clients", "40"))
        shown = self.nonet("show", "--json", self.channel)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        told = json.loads(shown.stdout)
        self.assertEqual((len(told["lanes"]), told["clients_max"]), (81, 40))
        listed = self.nonet("ls", "channel", environment={"NONET_DOMAIN": self.domain})
        self.assertRegex(listed.stdout, rb"channel:.* a server, 0 clients")
        listed = self.nonet("ls", "--json", "channel", environment={"NONET_DOMAIN": self.domain})
        (found,) = (one for one in json.loads(listed.stdout)["objects"] if one["address"] in (self.channel, "channel:x"))
        self.assertEqual((found["servers"], found["clients"], "publishers" in found), (1, 0, False))

    def test_a_channel_for_calls_is_created(self):
        done = self.nonet("create", "--clients", "2", self.channel)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        shown = self.nonet("show", self.channel).stdout.decode()
        self.assertRegex(shown, r"calls +0 of 2 clients")
        listed = self.nonet("ls", "channel", environment={"NONET_DOMAIN": self.domain})
        self.assertRegex(listed.stdout, rb"channel:.* no server, 0 clients")
        other = f"channel:{self.domain}/y"
        for status, wanted, options in (
            (1, "64 clients were asked for", ("--clients", "64")),
            (2, "--clients makes a channel for calls", ("--clients", "2", "--policy", "drop")),
            (2, "--clients makes a channel for calls", ("--clients", "2", "--publishers", "2")),
        ):
            done = self.nonet("create", *options, other)
            self.assertEqual(done.returncode, status)
            self.assertIn(wanted, self.one_line(done.stderr))
        done = self.nonet("create", "--clients", "2", f"mutex:{self.domain}/m")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--clients", self.one_line(done.stderr))

    def test_show_tells_who_serves_and_what_waits(self):
        server = self.reply("cat", options=("--clients", "3"))
        shown = self.nonet("show", self.channel).stdout.decode()
        self.assertRegex(shown, rf"calls +0 of 3 clients; lanes of \d+ bytes\nserver +process {server.pid} \(nonet\)\n")
        server.send_signal(signal.SIGSTOP)
        caller = self.start("call", "--timeout", cli.BOUND, self.channel, "x")
        caller.stdin.close()
        caller.stdin = None
        wanted = f"client 0  process {caller.pid} (nonet), 1 unread by the server, 0 unread by the client"
        self.until(lambda: wanted in self.nonet("show", self.channel).stdout.decode(), "its request is there")
        server.send_signal(signal.SIGCONT)
        self.assertEqual(self.finish(caller), (0, b"x", b""))

    def test_what_goes_wrong_is_told(self):
        self.reply("sh", "-c", "read word; echo $word; exit $word")
        self.failed(3, b"3\n", "3\n")
        self.replied(b"0\n", "0\n")

    def test_a_command_that_is_killed_or_is_not_there_or_takes_too_long(self):
        server = self.reply("sh", "-c", "kill -9 $$")
        self.failed(128 + 9, b"", "")
        server.kill()
        self.finish(server)
        server = self.reply("no-such-command")
        self.failed(127, b"", "")
        server.kill()
        self.finish(server)
        self.reply("sh", "-c", "echo half; exec sleep 1000", options=("--timeout", "100ms"))
        self.failed(124, b"", "")

    def test_a_command_needs_not_read(self):
        self.reply("true")
        self.replied(b"", stdin=b"x" * 300000)

    def test_one_that_prints_too_much_is_stopped(self):
        self.reply("cat", "/dev/zero", options=("--lane", "64K"))
        self.failed(125, b"", "")

    def test_a_call_times_out(self):
        self.reply("true", options=("--count", "1"))
        self.replied(b"", "")
        done = self.nonet("call", "--wait", "--timeout", "50ms", self.channel, "x")
        self.assertEqual((done.returncode, done.stdout), (124, b""))
        self.assertIn("has no server", self.one_line(done.stderr))

    def test_no_server_is_told_at_once_and_the_next_one_waited_for(self):
        server = self.reply("sh", "-c", "exec sleep 1000")
        self.until(lambda: self.nonet("call", "--timeout", "50ms", self.channel, "x").returncode == 124, "it serves")
        waiting = self.start("call", "--wait", "--timeout", cli.BOUND, self.channel, "again")
        waiting.stdin.close()
        waiting.stdin = None
        ending = self.start("call", "--timeout", cli.BOUND, self.channel, "once")
        ending.stdin.close()
        ending.stdin = None
        server.send_signal(signal.SIGKILL)
        status, out, err = self.finish(ending)
        self.assertEqual((status, out), (1, b""))
        self.assertIn("has no server", self.one_line(err))
        self.reply("cat")
        self.assertEqual(self.finish(waiting), (0, b"again", b""))

    def test_wrong_usage(self):
        for arguments, mention in (
            (("call",), "needs an address"),
            (("call", self.channel, "a", "b"), "one too many"),
            (("reply",), "needs an address and a command"),
            (("reply", self.channel), "needs a command to run"),
            (("reply", "--clients", "64", self.channel, "true"), "up to 63 clients"),
        ):
            done = self.nonet(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(mention, self.one_line(done.stderr))
        done = self.nonet("call", self.channel, "x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no domain", self.one_line(done.stderr))


if __name__ == "__main__":
    cli.main()
