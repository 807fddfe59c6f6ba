# SPDX-License-Identifier: Apache-2.0
"""nonet bench: what it says is checked, not how fast this machine is."""

import json
import os
import re
import resource
import shutil
import signal
import stat

import cli

KEYS = ["what", "mode", "size", "p50_ns", "p99_ns", "p999_ns", "max_ns", "messages_per_s", "gb_per_s", "limit", "ratio",
        "goal", "holds", "where", "limit_what", "runs", "discarded", "error"]
# Of each kind of row one or two, each as short as it may be.
SHORT = ("--quick", "--seconds", "0.01")
ROWS = ("line", "futex", "channel, untouched", "channel, 2 subscribers", "channel, 2 publishers",
        "channel, 100,000 a second")
# All that this command can draw.
DRAWN = ("memcpy",)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def mapped_domain(pid):
    """The directory of the channels that a process has mapped, or None."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            found = re.search(r"/dev/shm/nonet-bench-\w+", file.read())
            return found and found[0]
    except OSError:
        return None


def limit_file_size(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Bench(cli.Case):
    def setUp(self):
        super().setUp()
        if len(os.sched_getaffinity(0)) < 2:
            cli.skip_or_fail(self, "it takes two processors")
        self.state = {"XDG_STATE_HOME": self.path("state")}

    def bench(self, *arguments, environment=None, **options):
        return self.nonet("bench", *arguments, environment=self.state | (environment or {}), **options)

    def kept(self):
        with open(self.path("state/nonet/bench.json"), encoding="utf-8") as file:
            return json.load(file)

    def check_row(self, row):
        self.assertEqual(list(row), KEYS)
        self.assertIsNone(row["error"])
        self.assertIn(row["where"], ("near", "far"))
        self.assertGreaterEqual(row["runs"], 1)
        self.assertGreaterEqual(row["discarded"], 0)
        times = [row[key] for key in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
        if row["mode"] == "stream":
            self.assertEqual(times, [None] * 4)
            self.assertGreater(row["messages_per_s"], 0)
            if row["what"] == "channel, untouched":
                self.assertIsNone(row["gb_per_s"])
            else:
                self.assertAlmostEqual(row["gb_per_s"], row["messages_per_s"] * row["size"] / 1e9, 6)
        else:
            self.assertEqual((row["messages_per_s"], row["gb_per_s"]), (None, None))
            self.assertGreater(times[0], 0)
            self.assertEqual(times[1:], [None] * 3 if row["mode"] == "burst" else sorted(times[1:]))
        self.assertEqual(row["limit"] is None, row["ratio"] is None)
        self.assertEqual(row["limit"] is None, row["limit_what"] is None)
        self.assertEqual(row["goal"] is None, row["holds"] is None)
        if row["goal"] is not None:
            kept = row["ratio"] >= row["goal"] if row["mode"] == "stream" else row["ratio"] <= row["goal"]
            self.assertIs(row["holds"], kept)

    def test_json(self):
        done = self.bench(*SHORT, "--json", *ROWS)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        rows = json.loads(done.stdout)
        self.assertEqual([(row["what"], row["mode"], row["size"]) for row in rows],
                         [("line", "poll", 8), ("line, no pause", "poll", 8), ("futex", "asleep", 8),
                          ("channel, untouched", "poll", 1 << 20), ("channel, untouched", "stream", 1 << 20),
                          ("channel, 2 subscribers", "stream", 64), ("channel, 2 subscribers", "stream", 1024),
                          ("channel, 2 subscribers", "burst", 56), ("channel, 2 publishers", "stream", 64),
                          ("channel, 2 publishers", "stream", 1024), ("channel, 100,000 a second", "load", 8)])
        for row in rows:
            with self.subTest(what=row["what"], mode=row["mode"]):
                self.check_row(row)
        limits = {(row["what"], row["mode"]): row["limit_what"] for row in rows if row["limit_what"]}
        self.assertEqual(limits, {("channel, untouched", "poll"): "channel, 8 bytes",
                                  ("channel, 2 subscribers", "burst"): "channel, one subscriber less"})
        self.assertEqual(sum(row["goal"] is not None for row in rows), 2)
        kept = self.kept()
        self.assertEqual(list(kept), ["machine", "date", "version", "results"])
        self.assertEqual([{key: row[key] for key in KEYS} for row in kept["results"]], rows)
        self.assertTrue(all(row["quick"] and row["date"] == kept["date"] for row in kept["results"]))
        self.assertRegex(kept["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_the_table(self):
        done = self.bench(*SHORT, "futex", "memcpy", "channel, untouched")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = done.stdout.decode()
        self.assertNotRegex(text, "(?m) $")
        self.assertRegex(text, r"(?m)^WHAT +MODE +SIZE +P50 +P99 +P99\.9 +MAX +M/S +GB/S +LIMIT +RATIO +GOAL +HOLDS$")
        self.assertRegex(text, r"(?m)^futex +asleep +8 B( +[\d.]+ (ns|us|ms)){4}$")
        self.assertRegex(text, r"(?m)^memcpy +stream +64 KiB +[\d.]+ +[\d.]+$")
        self.assertRegex(text, r"(?m)^channel, untouched poll .* <=1\.20 (yes|NO)$")
        self.assertRegex(text, r"(?m)^\d+ runs? counted|thrown away since the cores were moved\.$")
        self.assertRegex(text, r"(?m)^[01] of 1 goals hold$")

    def test_what_is_kept_is_of_each_row_the_last(self):
        self.assertEqual(self.bench(*SHORT, "futex", "memcpy").returncode, 0)
        first = self.kept()
        path = self.path("state/nonet/bench.json")
        for row in first["results"]:
            row["date"] = "long ago"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(first, file)
        self.assertEqual(self.bench(*SHORT, "futex", "line").returncode, 0)
        dates = {(row["what"], row["size"]): row["date"] for row in self.kept()["results"]}
        self.assertEqual({key for key, date in dates.items() if date == "long ago"},
                         {("memcpy", size) for size in (1024, 65536, 1 << 20)})
        self.assertEqual(len(dates), 6)
        # Of another version, or no such file at all, nothing stays.
        for spoilt in (json.dumps(first | {"version": "0.0.0"}), "{", "[]", '{"results": 7}', '"results"'):
            with self.subTest(spoilt=spoilt[:40]):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(spoilt)
                self.assertEqual(self.bench(*SHORT, "futex").returncode, 0)
                self.assertEqual([row["what"] for row in self.kept()["results"]], ["futex"])
        self.assertEqual(os.listdir(self.path("state/nonet")), ["bench.json"])

    def test_what_cannot_be_kept_is_printed_all_the_same(self):
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        done = self.bench(*SHORT, "--json", "futex", environment={"XDG_STATE_HOME": self.path("file")})
        self.assertEqual((done.returncode, len(json.loads(done.stdout))), (0, 1))
        self.assertIn("aren't kept in", self.one_line(done.stderr))
        done = self.bench(*SHORT, "--json", "futex", environment={"XDG_STATE_HOME": "relative", "HOME": ""})
        self.assertEqual((done.returncode, len(json.loads(done.stdout))), (0, 1))
        self.assertIn("XDG_STATE_HOME", self.one_line(done.stderr))
        done = self.bench(*SHORT, "futex", environment={"XDG_STATE_HOME": "", "HOME": self.path("home")})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(os.listdir(self.path("home/.local/state/nonet")), ["bench.json"])

    def test_one_processor_is_a_sentence(self):
        cpu = min(os.sched_getaffinity(0))
        done = self.bench(*SHORT, "futex", preexec_fn=lambda: os.sched_setaffinity(0, [cpu]))
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("taskset", self.one_line(done.stderr))

    def test_a_limit_of_the_machine_is_told_in_its_row(self):
        """No file may grow: a channel's can't."""
        full = self.bench(*SHORT, "--json", "futex", "channel, 100,000 a second",
                          preexec_fn=lambda: limit_file_size(4096))
        self.assertEqual(full.returncode, 0, full.stderr)
        futex, channel = json.loads(full.stdout)
        self.check_row(futex)
        self.assertEqual((channel["error"], channel["p50_ns"], channel["where"]), ("-EFBIG", None, None))

    def fake_gnuplot(self, script):
        os.makedirs(self.path("bin"), exist_ok=True)
        path = self.path("bin/gnuplot")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return {"PATH": self.path("bin") + ":" + os.environ["PATH"]}

    def test_without_gnuplot_there_is_a_sentence(self):
        os.mkdir(self.path("empty"))
        done = self.bench(*SHORT, "--plot", self.path("x.svg"), *DRAWN, environment={"PATH": self.path("empty")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("gnuplot", self.one_line(done.stderr))
        self.assertIn(b"memcpy", done.stdout)
        self.assertFalse(os.path.exists(self.path("x.svg")))

    def test_gnuplot_draws_what_was_measured(self):
        path = self.path("x.svg")
        done = self.bench(*SHORT, "--json", "--plot", path, *DRAWN, environment=self.fake_gnuplot("exec cat"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        with open(path, encoding="utf-8") as file:
            script = file.read()
        rows = json.loads(done.stdout)
        points = re.search(r"(?ms)^\$stream0 << END\n(.*?)^END$", script)[1].split()
        self.assertEqual(points[0::2], [str(row["size"]) for row in rows])
        for point, row in zip(points[1::2], rows):
            self.assertAlmostEqual(float(point), row["gb_per_s"], delta=row["gb_per_s"] / 1e4)
        self.assertIn("title 'memcpy'", script)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o666 & ~mask)

    def test_a_failure_of_gnuplot_leaves_the_old_picture(self):
        path = self.path("x.svg")
        with open(path, "w", encoding="utf-8") as file:
            file.write("old")
        done = self.bench(*SHORT, "--plot", path, *DRAWN, environment=self.fake_gnuplot("echo half; exit 3"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("gnuplot failed", self.one_line(done.stderr))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")
        done = self.bench(*SHORT, "--plot", path, "futex", environment=self.fake_gnuplot("exec cat"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("several sizes", self.one_line(done.stderr))
        self.assertEqual([name for name in os.listdir(self.dir) if name.startswith("x.svg")], ["x.svg"])

    def start_long(self, *what):
        """One that plays its first row for long."""
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            cli.skip_or_fail(self, "the kernel has no CONFIG_PROC_CHILDREN")
        return self.start("bench", "--seconds", "60", *what, environment=self.state)

    def await_domain(self, process):
        found = []

        def is_there():
            found[:] = [(child, mapped_domain(child)) for child in children(process.pid)]
            return len(found) == 2 and all(domain for _, domain in found)

        self.until(is_there, "both processes have the channel")
        return [child for child, _ in found], found[0][1]

    def test_ctrl_c_leaves_nothing(self):
        process = self.start_long("channel, 100,000 a second")
        _, domain = self.await_domain(process)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process), (cli.status_of_signal(signal.SIGINT), b"", b""))
        self.assertFalse(os.path.exists(domain))
        self.assertFalse(os.path.exists(self.path("state")))

    def test_ctrl_c_leaves_no_queue(self):
        def queues(pids):
            with open("/proc/sysvipc/msg", encoding="ascii") as file:
                lines = [line.split() for line in file.readlines()[1:]]
            return [line[1] for line in lines if int(line[5]) in pids]

        process = self.start_long("sysv-queue")
        pids = []

        def they_talk():
            pids[:] = children(process.pid)
            return len(queues(pids)) == 2

        self.until(they_talk, "both queues are used")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process)[0], cli.status_of_signal(signal.SIGTERM))
        self.assertEqual(queues(pids), [])

    def test_a_killed_bench_leaves_no_process(self):
        process = self.start_long("channel, 100,000 a second")
        _, domain = self.await_domain(process)
        process.send_signal(signal.SIGKILL)
        process.wait(cli.PATIENCE)
        self.until(lambda: not cli.processes_left(), "its processes end")
        shutil.rmtree(domain)

    def test_a_killed_process_is_told_in_its_row(self):
        process = self.start_long("--json", "channel, 100,000 a second")
        pids, domain = self.await_domain(process)
        os.kill(pids[0], signal.SIGKILL)
        status, out, err = self.finish(process)
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(json.loads(out)[0]["error"], "-ECHILD")
        self.assertFalse(os.path.exists(domain))


if __name__ == "__main__":
    cli.main()
