# SPDX-License-Identifier: Apache-2.0
"""nonet doctor on this machine: what it finds out by trying, with the kernel made to refuse it."""

import json
import os
import resource
import subprocess
import tempfile

import cli
import denial
import machine

# The call that the kernel refuses, and how; which check tells it, as what; words of what it found, means and mends.
DENIED = (
    (("pwritev2", "EOPNOTSUPP", 5, 0x100), "nosignal", "note", "6.18", "SIGPIPE is blocked", None),
    (("pidfd_open", "ENOSYS"), "pidfd", "problem", "5.3", "its number", None),
    (("close_range", "ENOSYS"), "close-range", "problem", "5.11", "nonet_process_spawn", None),
    (("close_range", "EINVAL", 2, 4), "close-range", "problem", "5.11", "nonet_process_spawn", None),
    (("close_range", "EPERM"), "close-range", "problem", "seccomp", "nonet_process_spawn", "docker run --security-opt"),
    (("getsockopt", "ENOPROTOOPT", 2, 77), "peer-pidfd", "note", "6.5", "nonet_unix_peer", None),
    (("futex_waitv", "ENOSYS"), "futex-waitv", "note", "5.16", "100 ms", None),
    (("futex_waitv", "EPERM"), "futex-waitv", "note", "seccomp", "100 ms", "docker run --security-opt"),
    (("membarrier", "ENOSYS"), "membarrier", "note", "4.16", "fence", None),
    (("membarrier", "EPERM"), "membarrier", "note", "seccomp", "fence", "docker run --security-opt"),
    (("madvise", "EINVAL", 2, 18), "wipe-on-fork", "note", "4.14", "getpid", None),
    (("fcntl", "EINVAL", 1, 37), "ofd-locks", "problem", "3.15", "nothing takes its place", None),
    (("fcntl", "EINVAL", 1, 1033), "future-write", "note", "5.1", "refuses", None),
    (("fallocate", "EOPNOTSUPP"), "fallocate", "problem", "3.5", "SIGBUS", None),
    (("socket", "EPERM", 2, 1), "ping", "note", "not permitted", "-EPERM", ""),  # as root another than as user
    (("socket", "EAFNOSUPPORT", 2, 1), "ping", "note", "not supported", "-EPERM", None),
    (("io_uring_setup", "EPERM"), "io-uring", "note", "not permitted", "falls back", "docker run --security-opt"),
    (("io_uring_setup", "ENOSYS"), "io-uring", "note", "not implemented", "falls back", None),
    (("unshare", "EPERM"), "user-namespaces", "note", "not permitted", "sandboxes", "docker run --security-opt"),
    (("unshare", "ENOSPC"), "user-namespaces", "note", "No space", "sandboxes", None),
    (("pipe2", "ENFILE"), "pipe-pages", "problem", "refused", "another pipe", "pipe-user-pages-hard=0"),
)

# What can't be tried since what it is to be tried on can't be had.
UNTRIED = (("pidfd_open", "ENOSYS", "pidfs"), ("pipe2", "EMFILE", "nosignal"), ("memfd_create", "ENOSYS", "ofd-locks"),
           ("memfd_create", "EMFILE", "future-write"))


class Tried(cli.Case):
    def doctor(self, *arguments, user=None, **options):
        arguments = ("doctor", "--json", "--all", *arguments)
        return self.nonet_as(user, *arguments, **options) if user else self.nonet(*arguments, **options)

    def look(self, check, **options):
        """What a check tells of this machine."""
        done = self.doctor(check, **options)
        self.assertEqual(done.stderr, b"")
        finding, = json.loads(done.stdout)
        self.assertEqual(done.returncode, 3 if finding["level"] == "problem" else 0)
        return finding

    def look_without(self, check, *denied):
        if not denial.is_possible():
            cli.skip_or_fail(self, "the numbers of this architecture's system calls aren't in denial.py")
        try:
            return self.look(check, preexec_fn=denial.deny(*denied))
        except subprocess.SubprocessError as error:
            cli.skip_or_fail(self, f"no system call can be refused to a process here: {error}")

    def test_what_the_kernel_refuses_is_told(self):
        for denied, check, level, found, means, mend in DENIED:
            with self.subTest(check=check, denied=denied):
                finding = self.look_without(check, *denied)
                self.assertEqual((finding["check"], finding["level"]), (check, level))
                self.assertIn(found, finding["found"])
                self.assertIn(means, finding["means"])
                self.assertIn(mend or "", finding["mend"] or "")
                self.assertEqual(finding["mend"] is None, mend is None)

    def test_it_is_the_refusal_that_is_told(self):
        """Where the same call is let in, with another argument refused, nothing is told that wasn't before."""
        for (call, code, *_), check, *_ in DENIED:
            if call not in ("pwritev2", "getsockopt", "madvise", "fcntl", "socket", "close_range"):
                continue
            with self.subTest(check=check):
                self.assertEqual(self.look_without(check, call, code, 1, 0x7fffffff), self.look(check))

    def test_what_could_not_be_tried_is_not_told_as_missing(self):
        for call, code, check in UNTRIED:
            with self.subTest(check=check):
                finding = self.look_without(check, call, code)
                self.assertEqual((finding["level"], finding["means"]), ("unknown", None))
                self.assertTrue(finding["found"].startswith("Can't tell: "), finding)

    def test_an_older_c_library_and_kernel(self):
        if "NONET_OLDER" not in os.environ:
            cli.skip_or_fail(self, "NONET_OLDER doesn't name the library")
        older = {"LD_PRELOAD": os.environ["NONET_OLDER"], "ASAN_OPTIONS": "verify_asan_link_order=0"}
        finding = self.look("glibc", environment=older)
        self.assertEqual((finding["level"], finding["found"][:10]), ("note", "glibc 2.31"))
        finding = self.look("pidfs", environment=older)
        self.assertEqual(finding["level"], "note")
        self.assertIn("start time", finding["means"])
        self.assertEqual(self.look("glibc")["level"], "ok")

    def test_a_loopback_interface_that_is_down(self):
        self.assertEqual(self.look("loopback")["level"], "ok")  # these tests need it
        new = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
        done = subprocess.run([*new, cli.NONET, "doctor", "--json", "loopback"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=cli.PATIENCE)
        if done.returncode not in (0, 3):
            cli.skip_or_fail(self, f"no network namespace can be made here: {done.stderr.decode()}")
        finding, = json.loads(done.stdout)
        self.assertEqual((done.returncode, finding["level"]), (3, "problem"))
        self.assertIn("ip link set lo up", finding["mend"])

    def test_what_a_ping_takes_is_what_nonet_takes(self):
        """Others' pings may do without CAP_NET_RAW (net.ipv4.ping_group_range); nonet's can't."""
        if os.geteuid() != 0:
            cli.skip_or_fail(self, "to be another user takes root")
        self.assertEqual(self.look("ping")["level"], "ok")  # these tests have it
        finding = self.look("ping", user=54321)
        self.assertEqual((finding["level"], finding["mend"]), ("note", "sudo setcap cap_net_raw+ep PROGRAM"))

    def test_pipes_of_a_user_over_the_soft_limit(self):
        user = 54321  # nobody's, so that no other test is bound by what this one takes
        with open("/proc/sys/fs/pipe-user-pages-soft", encoding="ascii") as file:
            limit = int(file.read())
        if os.geteuid() != 0 or not 0 < limit <= 32768:
            cli.skip_or_fail(self, "to be another user takes root, and to fill pipes takes a soft limit")
        take = ("import fcntl, os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000)); os.setuid(%d)\n"
                "while fcntl.fcntl(os.pipe()[0], 1032) >= 65536: pass\n"  # F_GETPIPE_SZ
                "print('full', flush=True); sys.stdin.read()") % user
        holder = self.start("-c", take, command="/usr/bin/python3")
        self.read_until(holder.stdout, b"full")
        finding = self.look("pipe-pages", user=user)
        self.assertEqual(finding["level"], "note")
        self.assertIn("over the soft limit", finding["found"])
        self.assertIn("pipe-user-pages-soft=", finding["mend"])
        self.assertEqual(self.finish(holder)[0], 0)
        self.until(lambda: self.look("pipe-pages", user=user)["level"] == "ok", "the pipes are given back")

    def test_the_limits_are_those_of_who_runs_it(self):
        def few_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
        self.assertIn("200 descriptors", self.look("open-files", preexec_fn=few_files)["found"])

    def test_everything_on_this_machine(self):
        before = os.listdir("/dev/shm")
        checks = [row["check"] for row in json.loads(self.nonet("doctor", "--list", "--json").stdout)]
        for options in ({}, {"user": 54321}) if os.geteuid() == 0 else ({},):
            done = self.doctor(**options)
            findings = json.loads(done.stdout)
            self.assertEqual(sorted(finding["check"] for finding in findings), sorted(checks))
            self.assertEqual(done.returncode, 3 if findings[0]["level"] == "problem" else 0, done.stdout)
            self.assertEqual(done.stderr, b"")
            for finding in findings:  # the kernels that are tested have them
                if finding["check"] in ("pidfd", "close-range", "futex-waitv", "ofd-locks", "wipe-on-fork"):
                    self.assertEqual(finding["level"], "ok", finding)
        self.assertEqual({name for name in set(os.listdir("/dev/shm")) - set(before) if "doctor" in name}, set())

    def test_what_was_copied_from_another_machine_is_not_tried_here(self):
        with tempfile.TemporaryDirectory() as root:
            made = machine.Machine(root)
            done = self.nonet("doctor", "--json", "--sysroot", made.root, *machine.TRIED)
            self.assertEqual({finding["level"] for finding in json.loads(done.stdout)}, {"unknown"})


if __name__ == "__main__":
    cli.main()
