# SPDX-License-Identifier: Apache-2.0
"""nonet doctor on machines made of files: each misconfiguration is found, alone, and nothing is where there is none."""

import json
import os
import shutil
import subprocess

import cli
import machine
from machine import limit, mount, status

KERNEL, FS, NET = "/proc/sys/kernel/", "/proc/sys/fs/", "/proc/sys/net/"
CGROUP = "/sys/fs/cgroup/user.slice/"
CGROUP_1 = [{"/proc/self/cgroup": "5:cpu:/a\n4:hugetlb,memory:/docker/abc\n0::/"},
            mount("/sys/fs/cgroup", "26 22 0:24 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory")]
LOGIND = "/etc/systemd/logind.conf"
SYSV_HEADING = "key id perms size cpid"


def rows(count, size=1):
    return SYSV_HEADING + "".join(f"\n0 {i} 600 {size} 1" for i in range(count))


# What is planted; which check tells it, as what; and what must be in what was found, what it means, what mends it.
PLANTED = (
    (limit("Max open files", "1024", "524288"), "open-files", "note", "1024", "-EMFILE", "ulimit -Sn 65536"),
    (limit("Max open files", "255", "4096"), "open-files", "problem", "255", "-EMFILE", "ulimit -Sn 4096"),
    (limit("Max open files", "256"), "open-files", "note", "256", "-EMFILE", "sudo prlimit --nofile=65536 --pid $$"),
    # to raise it to the hard limit would help, but not enough
    (limit("Max open files", "100", "1024"), "open-files", "problem", "100", "-EMFILE", "--nofile=65536"),
    (limit("Max locked memory", "1024", "65535"), "locked-memory", "note", "1 KiB", "mlock", "--memlock="),
    (limit("Max msgqueue size", "80000", "600000"), "mqueue-bytes", "problem", "78 KiB", "-EMFILE", "--msgqueue="),
    ({FS + "file-nr": "90000 0 100000"}, "system-files", "problem", "90000", "-ENFILE", "fs.file-max=200000"),
    ({FS + "file-nr": "70000 0 100000"}, "system-files", "note", "70000", "-ENFILE", "fs.file-max=200000"),
    ({FS + "epoll/max_user_watches": "10000"}, "epoll-watches", "note", "10000", "-ENOSPC", "max_user_watches="),
    ({FS + "epoll/max_user_watches": "255"}, "epoll-watches", "problem", "255", "-ENOSPC", "max_user_watches="),
    ({FS + "inotify/max_user_instances": "127"}, "inotify", "note", "127", "-EMFILE", "max_user_instances="),
    ({FS + "inotify/max_user_watches": "8191"}, "inotify", "note", "8191", "-ENOSPC", "max_user_watches="),
    ({FS + "inotify/max_user_instances": "0"}, "inotify", "problem", "0 inotify", "-EMFILE", "max_user_instances="),
    (status(SigQ="27000/30000"), "signal-queue", "problem", "27000", "-EAGAIN", "--sigpending=60000"),
    (status(SigQ="21000/30000"), "signal-queue", "note", "21000", "-EAGAIN", "--sigpending=60000"),
    (status(SigQ="0/100"), "signal-queue", "note", "100", "-EAGAIN", "--sigpending=32768"),
    (limit("Max locked memory", "32768", "unlimited"), "locked-memory", "note", "32 KiB", "mlock", "ulimit -Sl unlimited"),
    (limit("Max locked memory", "32768"), "locked-memory", "note", "32 KiB", "mlock", "sudo prlimit --memlock="),
    (limit("Max core file size", "unlimited"), "core-dumps", "note", "all its memory", "death", "ulimit -c 0"),
    ({KERNEL + "core_pattern": "|/usr/bin/catcher %p"}, "core-dumps", "note", "/usr/bin/catcher", "death", "--core=1"),
    ({FS + "pipe-user-pages-soft": "1023"}, "pipe-pages", "note", "1023", "-ENFILE", "pipe-user-pages-soft="),
    ({FS + "pipe-user-pages-hard": "1000"}, "pipe-pages", "note", "1000", "-ENFILE", "pipe-user-pages-hard=0"),
    ({FS + "pipe-user-pages-hard": "15"}, "pipe-pages", "problem", "15", "-ENFILE", "pipe-user-pages-hard=0"),
    ({FS + "pipe-max-size": "65536"}, "pipe-size", "note", "64 KiB", "-EPERM", "fs.pipe-max-size=1048576"),
    (mount("/dev/mqueue", None), "mqueue-mount", "note", "mqueue", "left", "mount -t mqueue"),
    ({FS + "mqueue/msg_max": "10"}, "mqueue-limits", "note", "10 messages", "-EINVAL", "fs.mqueue.msg_max="),
    ({FS + "mqueue/msgsize_max": "4096"}, "mqueue-limits", "note", "4 KiB", "-EINVAL", "fs.mqueue.msgsize_max="),
    ({FS + "mqueue/queues_max": "7"}, "mqueue-limits", "problem", "7 POSIX", "-ENOSPC", "fs.mqueue.queues_max="),
    ({FS + "mqueue/msg_max": None}, "mqueue-limits", "note", "no POSIX message queues", "posixmq:", None),
    (limit("Max msgqueue size", "80000"), "mqueue-bytes", "problem", "78 KiB", "-EMFILE", "sudo prlimit --msgqueue="),
    (limit("Max msgqueue size", "400000", "819200"), "mqueue-bytes", "note", "391 KiB", "-EMFILE", "ulimit -Sq 819200"),
    ({"/proc/sysvipc/msg": rows(950)}, "sysv-queues", "problem", "950", "ipcs -q", "kernel.msgmni=32000"),
    ({"/proc/sysvipc/msg": rows(750)}, "sysv-queues", "note", "750", "-ENOSPC", "kernel.msgmni="),
    ({"/proc/sysvipc/msg": rows(30000), KERNEL + "msgmni": "32000"}, "sysv-queues", "problem", "30000", "ipcs -q", None),
    ({"/proc/sysvipc/shm": rows(32000), KERNEL + "shmmni": "32768"}, "sysv-segments", "problem", "32000", "ipcs", None),
    ({"/proc/sysvipc/sem": rows(31000)}, "sysv-semaphores", "problem", "31000", "ipcs -s", None),
    ({KERNEL + "msgmni": "0"}, "sysv-queues", "problem", "of 0", "-ENOSPC", "kernel.msgmni="),
    ({KERNEL + "msgmnb": "16384"}, "sysv-queue-size", "note", "16 KiB", "waits", "kernel.msgmnb=1048576"),
    ({KERNEL + "msgmax": "65537"}, "sysv-queue-size", "problem", "64 KiB", "for ever", "kernel.msgmnb=1048576"),
    ({"/proc/sysvipc/shm": rows(3700)}, "sysv-segments", "problem", "3700", "ipcs -m", "kernel.shmmni=32000"),
    ({"/proc/sysvipc/shm": rows(2, 4 << 20), KERNEL + "shmall": "2200"}, "sysv-segments", "problem", "8 MiB", "-ENOSPC",
     "kernel.shmall="),
    ({KERNEL + "shmmax": "33554432"}, "sysv-segments", "note", "32 MiB", "-EINVAL", "kernel.shmmax="),
    ({KERNEL + "shmmax": "4095"}, "sysv-segments", "problem", "4.0 KiB", "-EINVAL", "kernel.shmmax="),
    ({KERNEL + "sem": "250 32000 32 128", "/proc/sysvipc/sem": rows(120)}, "sysv-semaphores", "problem", "120", "ipcs -s",
     "kernel.sem='250 1024000000 32 32000'"),
    ({KERNEL + "sem": "250 32000 32 128", "/proc/sysvipc/sem": rows(100, 235)}, "sysv-semaphores", "note", "23500",
     "-ENOSPC", "kernel.sem="),
    ({KERNEL + "sem": "250 32000 32 128", "/proc/sysvipc/sem": rows(80, 400)}, "sysv-semaphores", "problem", "32000",
     "-ENOSPC", "kernel.sem="),
    (mount("/dev/shm", "24 22 0:22 / /dev/shm ro,nosuid - tmpfs tmpfs rw"), "shm-mount", "problem", "read-only", "-EROFS",
     "sudo mount -o remount,rw /dev/shm"),
    (mount("/dev/shm", "24 22 0:22 / /dev/shm rw - ext4 /dev/vdb rw"), "shm-mount", "note", "ext4", "disk",
     "mount -t tmpfs"),
    (mount("/dev/shm", "24 22 0:22 / /dev/shm rw,noexec - tmpfs tmpfs rw"), "shm-noexec", "note", "noexec", "-EPERM",
     "mount -o remount,exec /dev/shm"),
    ({CGROUP + "app.scope/memory.max": "536870912", CGROUP + "app.scope/memory.current": "134217728"}, "cgroup-memory",
     "note", "512 MiB of memory, and 384 MiB", "OOM", f"echo max | sudo tee '{CGROUP}app.scope/memory.max'"),
    ({CGROUP + "memory.max": "268435456", CGROUP + "memory.current": "268435456",
      CGROUP + "memory.stat": "anon 1\ninactive_file 1048576"}, "cgroup-memory", "problem",
     "256 MiB of memory, and 1 MiB", "OOM", f"sudo tee '{CGROUP}memory.max'"),
    ([*CGROUP_1, {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864",
                  "/sys/fs/cgroup/memory/memory.usage_in_bytes": "4096"}], "cgroup-memory", "note", "64 MiB", "OOM",
     "echo -1 | sudo tee '/sys/fs/cgroup/memory/memory.limit_in_bytes'"),
    ({LOGIND: "[Login]"}, "remove-ipc", "note", "the default", "enable-linger", "RemoveIPC=no"),
    ({LOGIND: None}, "remove-ipc", "note", "the default", "/dev/shm", "RemoveIPC=no"),
    ({LOGIND: None, "/dev/shm/nonet-1000/.domain": ""}, "remove-ipc", "note", "the default",
     "nonet's domain /dev/shm/nonet-1000 too", "RemoveIPC=no"),
    ({LOGIND: "[Login]\nRemoveIPC = Yes"}, "remove-ipc", "note", LOGIND, "/dev/shm", "sudo systemctl"),
    ({LOGIND: "[Other]\nRemoveIPC=no\n[Login]"}, "remove-ipc", "note", "the default", "/dev/shm", "RemoveIPC=no"),
    ({LOGIND: "[Login]\nRemoveIPC=perhaps"}, "remove-ipc", "note", "the default", "/dev/shm", "RemoveIPC=no"),
    ({"/usr/lib/systemd/logind.conf.d/50-x.conf": "[Login]\nRemoveIPC=1"}, "remove-ipc", "note",
     "/usr/lib/systemd/logind.conf.d/50-x.conf", "/dev/shm", "RemoveIPC=no"),
    ({"/run/systemd/logind.conf.d/10-a.conf": "[Login]\nRemoveIPC=no",
      "/usr/lib/systemd/logind.conf.d/50-x.conf": "[Login]\nRemoveIPC=on"}, "remove-ipc", "note", "50-x.conf", "cron",
     "RemoveIPC=no"),
    ({NET + "unix/max_dgram_qlen": "10"}, "datagram-queue", "note", "11 datagrams", "-EAGAIN", "max_dgram_qlen=512"),
    ({NET + "unix/max_dgram_qlen": "0"}, "datagram-queue", "problem", "1 datagram", "-EAGAIN", "max_dgram_qlen=512"),
    ({NET + "core/somaxconn": "128"}, "backlog", "note", "128", "listen", "net.core.somaxconn=4096"),
    ({NET + "core/somaxconn": "8"}, "backlog", "problem", "8 connections", "listen", "net.core.somaxconn=4096"),
    ({NET + "core/wmem_max": "131072"}, "socket-buffers", "note", "128 KiB to send", "-EMSGSIZE", "wmem_max=212992"),
    ({NET + "core/rmem_max": "32768"}, "socket-buffers", "problem", "32 KiB received", "UDP", "rmem_max=212992"),
    (mount("/proc", "23 22 0:21 / /proc rw - proc proc rw,subset=pid"), "proc", "note", "subset=pid", "limits",
     "mount -t proc"),
    (mount("/proc", "23 22 0:21 / /proc rw - proc proc rw,hidepid=invisible"), "hidepid", "note", "hidepid=invisible",
     "nobody", "sudo mount -o remount,hidepid=0 /proc"),
    (mount("/proc", "23 22 0:21 / /proc rw - proc proc rw,hidepid=2,gid=4"), "hidepid", "note", "hidepid=2)", "nobody",
     "hidepid=0"),
    ({KERNEL + "yama/ptrace_scope": "1"}, "ptrace", "note", "your children", "pidfd_getfd", "ptrace_scope=0"),
    ({KERNEL + "yama/ptrace_scope": "2"}, "ptrace", "note", "no process (", "pidfd_getfd", "ptrace_scope=0"),
    ({KERNEL + "yama/ptrace_scope": "3"}, "ptrace", "note", "Nobody", "reboot", "grep"),
    ({"/proc/sys/user/max_user_namespaces": "0"}, "user-namespaces", "note", "=0", "sandboxes",
     "user.max_user_namespaces=15000"),
    ({KERNEL + "unprivileged_userns_clone": "0"}, "user-namespaces", "note", "clone=0", "sandboxes", "clone=1"),
    ({KERNEL + "apparmor_restrict_unprivileged_userns": "1"}, "user-namespaces", "note", "userns=1", "sandboxes",
     "apparmor_restrict_unprivileged_userns=0"),
    ({KERNEL + "io_uring_disabled": "1"}, "io-uring", "note", "one group", "falls back", "io_uring_disabled=0"),
    ({KERNEL + "io_uring_disabled": "2"}, "io-uring", "note", "off", "falls back", "io_uring_disabled=0"),
    ({"/proc/self/ns/pid": "pid:[4026532000]"}, "pid-namespace", "note", "PID namespace", "outside", "--pid=host"),
    ({"/proc/self/ns/time": "time:[4026532000]"}, "time-namespace", "note", "time namespace", "deadline", None),
    ({KERNEL + "osrelease": "6.0.19-amd64"}, "kernel", "note", "6.0.19", "6.1", None),
    ({KERNEL + "osrelease": "5.15.0"}, "kernel", "note", "5.15.0", "6.1", None),
    (status(Cpus_allowed_list="7"), "cpus", "note", "one CPU", "spinning", "taskset"),
)

# What looks like something to tell, and isn't.
FINE = (
    limit("Max open files", "unlimited"),
    limit("Max msgqueue size", "unlimited"),
    [limit("Max locked memory", "0"), status(CapEff="0000000000004000")],  # CAP_IPC_LOCK
    [{KERNEL + "core_pattern": "|/usr/bin/catcher"}, limit("Max core file size", "1")],
    [{FS + "pipe-user-pages-soft": "16"}, status(CapEff="0000000001000000")],  # CAP_SYS_RESOURCE
    {FS + "pipe-user-pages-soft": "0"},
    {CGROUP + "app.scope/memory.max": None},
    {"/proc/self/cgroup": None, "/nothing": ""},
    {"/proc/self/cgroup": "1:name=systemd:/"},
    {"/proc/self/cgroup": "0::/../elsewhere"},
    # a group that only begins like ours, and one that isn't below what is mounted
    [*CGROUP_1, {"/proc/self/cgroup": "4:memory:/docker/abcdef", "/sys/fs/cgroup/memorydef/memory.limit_in_bytes": "1",
                 "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}],
    {"/proc/self/cgroup": "0::/other", CGROUP + "memory.max": "1", CGROUP + "memory.current": "1"},
    [*CGROUP_1, {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}],
    [{LOGIND: None}, status(Uid="0 999 0 0")],
    [{LOGIND: None, "/var/lib/systemd/linger/anna": ""}],
    {LOGIND: "[Login]\nRemoveIPC=yes", "/etc/systemd/logind.conf.d/x.conf": "[Login]\nRemoveIPC=off"},
    {"/etc/systemd/logind.conf.d/x.conf": "[Login]", "/usr/lib/systemd/logind.conf.d/x.conf": "[Login]\nRemoveIPC=yes"},
    {"/etc/systemd/logind.conf.d/long.txt": "[Login]\nRemoveIPC=yes"},
    {"/etc/systemd/logind.conf.d/.conf": "[Login]\nRemoveIPC=yes"},
    {"/usr/lib/systemd/logind.conf": "[Login]\nRemoveIPC=yes"},
    [mount("/proc", "23 22 0:21 / /proc rw - proc proc rw,hidepid=2"), status(CapEff="0000000000080000")],
    mount("/proc", "23 22 0:21 / /proc rw - proc proc rw,hidepid=off"),
    [{KERNEL + "yama/ptrace_scope": "2"}, status(CapEff="0000000000080000")],  # CAP_SYS_PTRACE
    {KERNEL + "yama/ptrace_scope": None},
    [{KERNEL + "unprivileged_userns_clone": "0"}, status(CapEff="0000000000200000")],  # CAP_SYS_ADMIN
    {KERNEL + "io_uring_disabled": None},
    {"/proc/sysvipc/msg": rows(699)},
    {KERNEL + "osrelease": "7.0.0"},
    {KERNEL + "osrelease": "6.1.0-49-amd64"},
    status(Cpus_allowed_list="1,3"),
    # the last values of which there is nothing to tell
    limit("Max open files", "1025"),
    limit("Max locked memory", "65536"),
    limit("Max msgqueue size", "663040"),
    status(SigQ="699/1024"),
    {FS + "file-nr": "69999 0 100000"},
    {FS + "epoll/max_user_watches": "16384"},
    {FS + "inotify/max_user_watches": "8192"},
    {FS + "pipe-user-pages-soft": "1024", FS + "pipe-user-pages-hard": "1024"},
    {FS + "mqueue/msg_max": "11", FS + "mqueue/queues_max": "8"},
    {KERNEL + "msgmnb": "16385", KERNEL + "msgmax": "16385"},
    {KERNEL + "shmmax": "67108864"},
    {NET + "unix/max_dgram_qlen": "11"},
    {NET + "core/somaxconn": "1024"},
)

# The last values that are no problem yet.
NOTES = (
    limit("Max msgqueue size", "82880"),
    {FS + "file-nr": "89999 0 100000"},
    {FS + "epoll/max_user_watches": "256"},
    {FS + "inotify/max_user_instances": "1"},
    {FS + "pipe-user-pages-hard": "16"},
    {KERNEL + "shmmax": "4096"},
    {NET + "unix/max_dgram_qlen": "1"},
    {NET + "core/somaxconn": "16"},
    {NET + "core/rmem_max": "65536"},
    {CGROUP + "app.scope/memory.max": "33554432", CGROUP + "app.scope/memory.current": "16777216"},
)


class Doctor(cli.Case):
    def setUp(self):
        super().setUp()
        self.machine = machine.Machine(self.path("machine"))

    def look(self, *arguments):
        """Its findings, which all make sense, and its exit status, which is theirs."""
        done = self.nonet("doctor", "--json", "--sysroot", self.machine.root, *arguments)
        self.assertEqual(done.stderr, b"")
        findings = json.loads(done.stdout)
        for finding in findings:
            self.assertEqual(list(finding), ["check", "group", "level", "found", "means", "mend"])
            self.assertIn(finding["level"], ("problem", "note", "unknown", "ok"))
            self.assertTrue(finding["found"])
            if finding["level"] in ("problem", "note"):
                self.assertRegex(finding["means"] or "", r"^[A-Za-z/].*\.$", finding)
        wrong = any(finding["level"] == "problem" for finding in findings)
        self.assertEqual(done.returncode, 3 if wrong else 0)
        return findings

    def told(self):
        """What is told of this machine, but for what can only be tried."""
        findings = self.look()
        self.assertEqual({finding["check"] for finding in findings if finding["level"] == "unknown"} - machine.TRIED, set())
        return [finding for finding in findings if finding["check"] not in machine.TRIED]

    def make(self, change):
        self.machine.make(*(change if isinstance(change, list) else [change]))


class Findings(Doctor):
    def test_nothing_is_told_where_nothing_is_wrong(self):
        self.assertEqual(self.told(), [])
        findings = self.look("--all")
        self.assertEqual({finding["level"] for finding in findings}, {"ok", "unknown"})
        self.assertEqual({finding["check"] for finding in findings if finding["level"] == "unknown"}, machine.TRIED)

    def test_what_is_fine_has_its_figures(self):
        self.machine.make({"/proc/sysvipc/shm": rows(2, 4 << 20), "/proc/sysvipc/sem": rows(3, 7),
                           CGROUP + "app.scope/memory.max": "max"})
        found = {finding["check"]: finding["found"] for finding in self.look("--all")}
        self.assertEqual(found["cpus"], "You may run on 5 CPUs")
        self.assertEqual(found["signal-queue"], "3 signals of yours are queued or reserved by timers, of 30000 at most")
        self.assertEqual(found["sysv-segments"], "2 System V segments exist, of 4096 at most, of any size")
        self.assertEqual(found["sysv-semaphores"], "3 System V semaphore sets exist, of 32000 at most, with 21 semaphores "
                                                   "of 1024000000")
        self.assertEqual(found["mqueue-bytes"], "Your POSIX queues may take 800 KiB together: 9 queues of 10 messages of "
                                                "8 KiB")
        self.assertEqual(found["socket-buffers"], "A socket may buffer 208 KiB to send and 208 KiB received")

    def test_each_planted_fault_is_told_alone(self):
        for change, check, level, found, means, mend in PLANTED:
            with self.subTest(check=check, change=change):
                self.make(change)
                told = self.told()
                self.assertEqual([(finding["check"], finding["level"]) for finding in told], [(check, level)], told)
                self.assertIn(found, told[0]["found"])
                self.assertIn(means, told[0]["means"])
                if mend is None:
                    self.assertIsNone(told[0]["mend"])
                else:
                    self.assertIn(mend, told[0]["mend"])

    def test_what_only_looks_like_a_fault_is_not_told(self):
        for change in FINE:
            with self.subTest(change=change):
                self.make(change)
                self.assertEqual(self.told(), [])

    def test_what_is_low_is_noted_before_it_is_a_problem(self):
        for change in NOTES:
            with self.subTest(change=change):
                self.make(change)
                self.assertEqual([finding["level"] for finding in self.told()], ["note"])

    def test_every_check_that_reads_files_has_a_planted_fault(self):
        done = self.nonet("doctor", "--list", "--json")
        checks = {row["check"] for row in json.loads(done.stdout)}
        here = {check for _, check, *_ in PLANTED} | {"shm-space"}  # which is below
        self.assertEqual(checks - machine.TRIED, here)

    def test_root_needs_no_sudo(self):
        self.machine.make({NET + "unix/max_dgram_qlen": "10", LOGIND: None}, status(Uid="0\t0\t0\t0"))
        told = self.told()
        self.assertEqual(told[0]["mend"], "sysctl -w net.unix.max_dgram_qlen=512")

    def test_the_root_of_a_container_cannot_raise_its_limits(self):
        low = limit("Max open files", "256")
        for capabilities, mend in (("0000000001000000", "prlimit --nofile=65536 --pid $$"),  # CAP_SYS_RESOURCE
                                   ("0000000000000000", "docker run --ulimit nofile=65536 IMAGE")):
            self.machine.make(low, status(Uid="0\t0\t0\t0", CapEff=capabilities))
            self.assertEqual(self.told()[0]["mend"], mend)

    def test_system_v_ipc_that_is_not_there_is_told_by_each_of_its_checks(self):
        for path in self.machine.files():
            if path.startswith("/proc/sysvipc/"):
                os.remove(self.machine.path(path))
        self.assertEqual([(finding["check"], finding["level"]) for finding in self.told()],
                         [("sysv-queues", "note"), ("sysv-segments", "note"), ("sysv-semaphores", "note")])

    def test_a_machine_without_dev_shm(self):
        self.machine.make(mount("/dev/shm", None))
        findings = {finding["check"]: finding for finding in self.look("memory")}
        self.assertEqual(findings["shm-mount"]["level"], "problem")
        self.assertIn("mode=1777 tmpfs /dev/shm", findings["shm-mount"]["mend"])
        self.assertEqual(findings["shm-noexec"]["level"], "unknown")

    def test_the_mode_of_dev_shm(self):
        for mode, means in ((0o755, "-EACCES"), (0o700, "-EACCES"), (0o777, "remove or replace")):
            os.chmod(self.machine.path("/dev/shm"), mode)
            told = self.told()
            self.assertEqual([(finding["check"], finding["level"]) for finding in told], [("shm-mount", "problem")])
            self.assertIn(f"{mode:04o}", told[0]["found"])
            self.assertIn(means, told[0]["means"])
            self.assertEqual(told[0]["mend"], "sudo chmod 1777 /dev/shm")

    def test_a_masked_file_of_the_vendor_says_nothing(self):
        self.machine.make({"/usr/lib/systemd/logind.conf.d/x.conf": "[Login]\nRemoveIPC=yes"})
        self.assertEqual(len(self.told()), 1)
        os.makedirs(self.machine.path("/etc/systemd/logind.conf.d"))
        os.symlink("/dev/null", self.machine.path("/etc/systemd/logind.conf.d/x.conf"))
        self.assertEqual(self.told(), [])

    def test_nothing_is_removed_where_logind_does_not_run(self):
        self.machine.make({LOGIND: None})
        os.rmdir(self.machine.path("/run/systemd/seats"))
        self.assertEqual(self.told(), [])

    def test_a_group_with_an_odd_name_gets_no_command_for_roots_shell(self):
        group = "/x';reboot;'"
        self.machine.make({"/proc/self/cgroup": f"0::{group}", f"/sys/fs/cgroup{group}/memory.max": "536870912",
                           f"/sys/fs/cgroup{group}/memory.current": "0"})
        told = self.told()
        self.assertEqual([(finding["check"], finding["mend"]) for finding in told], [("cgroup-memory", None)])

    def test_names_of_others_never_steer_the_terminal(self):
        self.machine.make({"/etc/systemd/logind.conf.d/\x1b[31m\udcff.conf": "[Login]\nRemoveIPC=yes"})
        told = self.told()
        self.assertEqual(told[0]["check"], "remove-ipc")
        self.assertIn("?[31m?.conf", told[0]["found"])


class Space(Doctor):
    def look_at_shm(self, options, fill=None):
        """What is told if the machine's /dev/shm is a tmpfs with these options."""
        root = self.machine.root
        script = ('mount -t tmpfs -o "$1" tmpfs "$2/dev/shm" || exit 1; [ -z "$3" ] || fallocate -l "$3" "$2/dev/shm/x"; '
                  'shift 3; exec "$@"')
        new = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        done = subprocess.run([*new, "sh", "-c", script, "sh", options, root, fill or "", cli.NONET, "doctor", "--json",
                               "--all", "--sysroot", root, "shm-space"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=cli.PATIENCE)
        if done.returncode not in (0, 3):
            cli.skip_or_fail(self, f"a tmpfs can't be mounted here: {done.stderr.decode()}")
        finding, = json.loads(done.stdout)
        return finding

    def test_how_much_fits_in(self):
        for options, fill, level, found, mend in (
                ("size=128m,mode=1777", None, "ok", "128 MiB free of 128 MiB", None),
                ("size=65m", "60m", "problem", "5 MiB free of 65 MiB", "sudo mount -o remount,size=1024M /dev/shm"),
                ("size=64m", None, "note", "64 MiB free of 64 MiB", "remount,size=1024M"),
                ("size=1g,nr_inodes=50", None, "problem", "room for 49", "remount,nr_inodes=100050"),
                ("size=0,nr_inodes=0", None, "ok", "no limit free of no limit", None),
        ):
            with self.subTest(options=options):
                finding = self.look_at_shm(options, fill)
                self.assertEqual(finding["level"], level, finding)
                self.assertIn(found, finding["found"])
                self.assertIn(mend or "", finding["mend"] or "")
                self.assertEqual(bool(mend), bool(finding["means"]))

    def test_a_container_is_given_more_when_it_is_started(self):
        self.machine.make({"/.dockerenv": ""})
        self.assertIn("docker run --shm-size=1g", self.look_at_shm("size=64m")["mend"])
        self.machine.make({"/.dockerenv": ""}, status(CapEff="0000000000200000"))  # CAP_SYS_ADMIN
        self.assertIn("mount -o remount,size=", self.look_at_shm("size=64m")["mend"])


class Garbage(Doctor):
    def spoil(self, path, how):
        whole = self.machine.path(path)
        if os.path.isdir(whole):
            os.rmdir(whole)
        elif os.path.lexists(whole):
            os.remove(whole)
        if how == "fifo":
            os.mkfifo(whole)
        elif how == "folder":
            os.mkdir(whole)
        elif how == "loop":
            os.symlink(os.path.basename(whole), whole)
        elif how is not None:
            self.machine.write(path, how)

    def test_no_file_that_is_wrong_stops_it(self):
        """Nor crashes it, nor makes it wait: whatever is in place of a file, all the other checks go on."""
        count = len(self.look("--all"))
        for path in self.machine.files():
            if os.path.islink(self.machine.path(path)):
                right = None
            else:
                with open(self.machine.path(path), "rb") as file:
                    right = file.read()
            for how in (None, "fifo", b"", b"\xff\0\x1b\n", b"9" * 100000, b"18446744073709551615 " * 4,
                        b":,[]= - / \n" * 100):
                with self.subTest(path=path, how=how if not isinstance(how, bytes) else how[:20]):
                    self.spoil(path, how)
                    self.assertEqual(len(self.look("--all")), count)
            self.spoil(path, right)

    def test_what_cannot_be_read_is_said_with_its_reason(self):
        for how, reason in (("fifo", "isn't what"), ("folder", "isn't what"), ("loop", "symbolic links"), (None, "No such file"),
                            (b"", "isn't what"), (b"x\n", "isn't what")):
            self.machine.make()
            self.spoil(FS + "pipe-max-size", how)
            finding, = self.look("pipe-size")
            self.assertEqual((finding["level"], finding["means"], finding["mend"]), ("unknown", None, None))
            self.assertIn(FS + "pipe-max-size", finding["found"])
            self.assertIn(reason, finding["found"])

    def test_mounts_that_cannot_be_read(self):
        self.spoil("/proc/self/mountinfo", "fifo")
        told = {finding["check"]: finding for finding in self.look() if finding["check"] not in machine.TRIED}
        self.assertEqual(set(told), {"mqueue-mount", "shm-mount", "shm-noexec", "cgroup-memory", "hidepid"})
        for finding in told.values():
            self.assertEqual(finding["level"], "unknown")
            self.assertIn("/proc/self/mountinfo", finding["found"])

    def test_a_machine_that_is_not_there(self):
        done = self.nonet("doctor", "--sysroot", self.path("nowhere"))
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("nowhere: No such file", self.one_line(done.stderr))
        self.machine.root = self.path("empty")
        os.mkdir(self.machine.root)
        findings = {finding["check"]: finding["level"] for finding in self.look("--all")}
        self.assertEqual(findings["proc"], "problem")
        self.assertEqual(findings["open-files"], "unknown")
        self.assertEqual({check for check, level in findings.items() if level == "note"}, set())

    def test_settings_that_are_hidden_are_not_taken_for_a_kernel_without_them(self):
        shutil.rmtree(self.machine.path("/proc/sys"))
        findings = {finding["check"]: finding for finding in self.look("--all", "mqueue-limits", "sysv", "ptrace", "kernel")}
        self.assertEqual({finding["level"] for finding in findings.values()} - {"unknown"}, {"ok"})
        self.assertEqual({check for check, finding in findings.items() if finding["level"] == "ok"}, {"cpus"})

    def test_nothing_is_changed(self):
        before = self.machine.picture()
        self.look("--all")
        self.assertEqual(self.machine.picture(), before)


if __name__ == "__main__":
    cli.main()
