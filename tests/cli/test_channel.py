# SPDX-License-Identifier: Apache-2.0
"""The command on channels."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import cli


class Case(cli.Case):
    def setUp(self):
        super().setUp()
        self.domain = tempfile.mkdtemp(prefix="cli-channel-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.domain)
        self.channel = f"channel:{self.domain}/news"

    def done(self, *arguments, **options):
        """Runs the command, which has nothing to say."""
        done = self.nonet(*arguments, **options)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), arguments)

    def refused(self, mention, *arguments, status=1):
        done = self.nonet(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, b""), done.stderr)
        self.assertIn(mention, done.stderr.decode().splitlines()[0])

    def shown(self, channel=None):
        done = self.nonet("show", "--json", "--interval", "1ms", channel or self.channel)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return json.loads(done.stdout)

    def running(self, *arguments):
        child = subprocess.Popen([cli.NONET, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.addCleanup(self.ended, child)
        return child

    @staticmethod
    def ended(child):
        if child.poll() is None:
            child.kill()
        child.communicate()


class Made(Case):
    def test_is_made_as_wished_shown_listed_and_removed(self):
        self.done("create", "--policy", "drop", "--publishers", "2", "--subscribers", "3", "--lane", "64K", "--mode",
                  "0640", self.channel)
        told = self.shown()
        self.assertEqual((told["policy"], told["publishers_max"], told["subscribers_max"], told["lane_bytes"],
                          told["mode"]), ("drop", 2, 3, 65536, "0640"))
        self.assertEqual((len(told["lanes"]), told["seats"]), (2, []))
        listed = json.loads(self.nonet("ls", "--json", "channel", environment={"NONET_DOMAIN": self.domain}).stdout)
        mine = [one for one in listed["objects"] if one["address"] == "channel:news"]
        self.assertEqual([(one["publishers"], one["subscribers"], one["mode"]) for one in mine], [(0, 0, "0640")])
        self.refused("is there already", "create", self.channel)
        self.done("remove", self.channel)
        for verb in "show", "recv", "send", "tap", "remove", "wait":
            self.refused("there is no", verb, self.channel)

    def test_what_makes_no_sense_is_refused(self):
        self.refused("power of two", "create", "--lane", "65K", self.channel)
        self.refused("up to 63", "create", "--publishers", "64", self.channel)
        self.refused("--policy is block", "create", "--policy", "lose", self.channel, status=2)
        self.refused("--lane", "create", "--size", "64K", self.channel, status=2)
        self.refused("are for channel:", "create", "--lane", "64K", "mutex:x", status=2)
        self.refused("--interval is for", "show", "--interval", "1s", "mutex:x", status=2)
        self.refused("are for channel:", "recv", "--end", "fifo:/x", status=2)
        self.refused("only channel:", "tap", "fifo:/x", status=2)
        self.refused("--format is", "tap", "--format", "octal", self.channel, status=2)

    def test_one_that_is_damaged_foreign_or_anothers_is_said_to_be(self):
        self.done("create", self.channel)
        path = os.path.join(self.domain, "news.channel")
        with open(path, "r+b") as file:
            whole = file.read(8192 + 24)
            for offset, what in (8, "version"), (8192, "damaged"), (8200, "damaged"), (8208, "damaged"):
                file.seek(offset)
                file.write(b"\xff")
                file.flush()
                for verb in "recv", "send", "tap", "wait":
                    self.refused(what, verb, self.channel)
                self.assertTrue(self.shown()["damaged"])
                file.seek(0)
                file.write(whole)
                file.flush()
        self.assertNotIn("damaged", self.shown())
        if os.geteuid() == 0:
            os.chmod(self.domain, 0o755)
            for verb in "recv", "send", "tap":
                done = self.nonet_as(cli.NOBODY, verb, self.channel)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(b"ermission", done.stderr)


class Used(Case):
    def setUp(self):
        super().setUp()
        self.done("create", self.channel)

    def test_who_comes_late_gets_the_history_and_the_end(self):
        self.done("send", self.channel, stdin=b"one\ntwo\n")
        self.done("send", "--whole", self.channel, stdin=b"x" * 300000)
        got = self.nonet("recv", "--history", "--end", self.channel)
        self.assertEqual((got.returncode, got.stderr), (0, b""))
        self.assertEqual(got.stdout, b"one\ntwo\n" + b"x" * 300000 + b"\n")
        got = self.nonet("recv", "--end", self.channel)
        self.assertEqual((got.returncode, got.stdout), (0, b""))

    def test_with_a_timeout_the_sender_waits_for_who_reads(self):
        sender = self.running("send", "--timeout", cli.BOUND, self.channel)
        sender.stdin.write(b"hello\n")
        sender.stdin.close()
        sender.stdin = None
        got = self.nonet("recv", "--count", "1", "--timeout", cli.BOUND, self.channel)
        self.assertEqual((got.returncode, got.stdout, got.stderr), (0, b"hello\n", b""))
        self.assertEqual(sender.wait(cli.PATIENCE), 0)
        late = self.nonet("send", "--timeout", "1ms", self.channel, stdin=b"hello\n")
        self.assertEqual(late.returncode, 124)
        self.assertIn(b"nobody reads", late.stderr)

    def test_show_tells_who_publishes_who_reads_and_how_far_behind(self):
        reader = self.running("recv", self.channel)
        self.until(lambda: len(self.shown()["seats"]) == 1, "it reads")
        reader.send_signal(signal.SIGSTOP)
        sender = self.running("send", self.channel)
        sender.stdin.write(b"one\ntwo\nthree\n")
        sender.stdin.flush()
        self.until(lambda: self.shown()["lanes"][0]["messages"] == 3, "all is published")
        told = self.shown()
        lane, seat = told["lanes"][0], told["seats"][0]
        self.assertEqual((lane["alive"], lane["pid"], lane["publisher"], lane["floor"], lane["position"]),
                         (True, sender.pid, 1, 0, 64 + 3 * 16))
        self.assertEqual((seat["alive"], seat["pid"], seat["lost"]), (True, reader.pid, 0))
        self.assertEqual(seat["behind"][0]["messages"], 3)
        self.assertEqual((told["publishers"], told["subscribers"]), (1, 1))
        text = self.nonet("show", self.channel).stdout.decode()
        self.assertIn(f"lane 0  process {sender.pid}", text)
        self.assertIn("3 messages", text)
        reader.send_signal(signal.SIGCONT)
        self.until(lambda: self.shown()["seats"][0]["behind"][0]["bytes"] == 0, "it has read all")
        sender.kill()
        sender.wait(cli.PATIENCE)
        self.until(lambda: not self.shown()["lanes"][0]["alive"], "its publisher is seen to be dead")

    def test_who_prints_to_nobody_ends_though_nothing_comes(self):
        for verb in ("recv", "tap"):
            with self.subTest(verb=verb):
                reader, writer = os.pipe()
                process = self.start(verb, self.channel, stdout=writer)
                os.close(writer)
                self.until(lambda: verb == "tap" or len(self.shown()["seats"]) == 1, "it reads")
                os.close(reader)
                self.assertEqual(process.wait(cli.PATIENCE), -signal.SIGPIPE)
                self.assertEqual(self.shown()["seats"], [])

    def test_who_is_refused_is_told_from_which_line_on(self):
        self.done("create", "--policy", "refuse", "--lane", "64K", f"channel:{self.domain}/r")
        reader = self.running("recv", f"channel:{self.domain}/r")
        self.until(lambda: len(self.shown(f"channel:{self.domain}/r")["seats"]) == 1, "it reads")
        reader.send_signal(signal.SIGSTOP)
        late = self.nonet("send", f"channel:{self.domain}/r", stdin=b"12345678\n" * 10000)
        self.assertEqual(late.returncode, 1)
        self.assertRegex(late.stderr.decode(), r"line \d{4} and what follows wasn't sent: .*has no room")
        reader.send_signal(signal.SIGCONT)

    def test_a_tap_prints_what_goes_by_and_takes_no_place(self):
        tap = self.running("tap", "--history", "--count", "2", self.channel)
        self.done("send", self.channel, stdin=b"one\n\xff\\\n")
        out, err = tap.communicate(timeout=cli.PATIENCE)
        self.assertEqual(tap.returncode, 0)
        lines = out.decode().splitlines()
        self.assertRegex(lines[0], r"^\d\d:\d\d:\d\d\.\d{6} lane 0 #0 publisher 1 3 bytes one$")
        self.assertRegex(lines[1], r"lane 0 #1 publisher 1 2 bytes \\xff\\x5c$")
        self.assertIn(b"2 messages of 5 bytes seen, 0 lost", err)
        got = self.nonet("tap", "--history", "--end", "--json", self.channel)
        told = [json.loads(line) for line in got.stdout.splitlines()]
        self.assertEqual([(one["lane"], one["sequence"], one["publisher"], one["lost"]) for one in told],
                         [(0, 0, 1, 0), (0, 1, 1, 0)])
        self.assertEqual([one["message"] for one in told],
                         [{"size": 3, "text": "one"}, {"size": 2, "data": "/1w="}])
        got = self.nonet("tap", "--history", "--end", "--format", "hex", self.channel)
        self.assertTrue(got.stdout.splitlines()[1].endswith(b" ff5c"))

    def test_a_tap_that_is_interrupted_says_what_it_saw(self):
        self.done("send", self.channel, stdin=b"one\n")
        tap = self.running("tap", "--history", self.channel)
        self.assertIn(b"one", tap.stdout.readline())
        self.assertEqual(self.shown()["seats"], [])
        tap.send_signal(signal.SIGINT)
        _, err = tap.communicate(timeout=cli.PATIENCE)
        self.assertEqual(tap.returncode, -signal.SIGINT)
        self.assertIn(b"1 message of 3 bytes seen, 0 lost", err)

    def test_what_a_receiver_lost_is_said(self):
        self.done("remove", self.channel)
        self.done("create", "--policy", "drop", "--lane", "64K", self.channel)
        reader = self.running("recv", "--whole", "--end", self.channel)
        self.until(lambda: len(self.shown()["seats"]) == 1, "it reads")
        reader.send_signal(signal.SIGSTOP)
        self.done("send", self.channel, stdin=b"0123456\n" * 20000)
        reader.send_signal(signal.SIGCONT)
        out, err = reader.communicate(timeout=cli.PATIENCE)
        self.assertEqual(reader.returncode, 0)
        lost = int(err.split()[2])
        self.assertIn(b"messages were lost", err)
        self.assertEqual(len(out) // 7 + lost, 20000)

    def test_wait_is_told_of_the_next_message(self):
        self.done("send", self.channel, stdin=b"before\n")
        waiter = self.nonet("wait", "--timeout", "20ms", self.channel)
        self.assertEqual(waiter.returncode, 124)
        waiter = self.running("wait", "--timeout", cli.BOUND, self.channel)
        while waiter.poll() is None:
            self.done("send", self.channel, stdin=b"now\n")
        out, _ = waiter.communicate(timeout=cli.PATIENCE)
        self.assertEqual((waiter.returncode, out.decode().strip()), (0, self.channel))


if __name__ == "__main__":
    unittest.main(verbosity=2)
