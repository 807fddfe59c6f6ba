# SPDX-License-Identifier: Apache-2.0
"""A machine made of files, for nonet doctor --sysroot: as it is made, there is nothing to tell of it."""

import os
import shutil

LIMITS = {
    "Max open files": ("65536", "65536", "files"),
    "Max core file size": ("0", "unlimited", "bytes"),
    "Max locked memory": ("8388608", "8388608", "bytes"),
    "Max pending signals": ("30000", "30000", "signals"),
    "Max msgqueue size": ("819200", "819200", "bytes"),
}
STATUS = {
    "Name": "nonet",
    "Pid": "4711",
    "Uid": "1000\t1000\t1000\t1000",
    "SigQ": "3/30000",
    "CapEff": "0000000000000000",
    "Cpus_allowed_list": "0-3,6",
}
MOUNTS = {
    "/": "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
    "/proc": "23 22 0:21 / /proc rw,nosuid shared:2 - proc proc rw",
    "/dev/shm": "24 22 0:22 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw,size=1000000k",
    "/dev/mqueue": "25 22 0:23 / /dev/mqueue rw,nosuid shared:4 - mqueue mqueue rw",
    "/sys/fs/cgroup": "26 22 0:24 / /sys/fs/cgroup rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate",
}
FILES = {
    "/proc/self/cgroup": "0::/user.slice/app.scope",
    "/proc/sys/fs/epoll/max_user_watches": "1000000",
    "/proc/sys/fs/file-nr": "1000\t0\t100000",
    "/proc/sys/fs/inotify/max_user_instances": "128",
    "/proc/sys/fs/inotify/max_user_watches": "65536",
    "/proc/sys/fs/mqueue/msg_max": "1000",
    "/proc/sys/fs/mqueue/msgsize_max": "8192",
    "/proc/sys/fs/mqueue/queues_max": "256",
    "/proc/sys/fs/pipe-max-size": "1048576",
    "/proc/sys/fs/pipe-user-pages-hard": "0",
    "/proc/sys/fs/pipe-user-pages-soft": "16384",
    "/proc/sys/kernel/core_pattern": "core",
    "/proc/sys/kernel/io_uring_disabled": "0",
    "/proc/sys/kernel/msgmax": "8192",
    "/proc/sys/kernel/msgmnb": "65536",
    "/proc/sys/kernel/msgmni": "1000",
    "/proc/sys/kernel/osrelease": "6.12.0-test",
    "/proc/sys/kernel/sem": "32000\t1024000000\t500\t32000",
    "/proc/sys/kernel/shmall": "18446744073692774399",
    "/proc/sys/kernel/shmmax": "18446744073692774399",
    "/proc/sys/kernel/shmmni": "4096",
    "/proc/sys/kernel/yama/ptrace_scope": "0",
    "/proc/sys/net/core/rmem_max": "212992",
    "/proc/sys/net/core/somaxconn": "4096",
    "/proc/sys/net/core/wmem_max": "212992",
    "/proc/sys/net/unix/max_dgram_qlen": "512",
    "/proc/sys/user/max_user_namespaces": "15000",
    "/proc/sysvipc/msg": "key msqid perms cbytes qnum",
    "/proc/sysvipc/sem": "key semid perms nsems uid",
    "/proc/sysvipc/shm": "key shmid perms size cpid",
    "/sys/fs/cgroup/user.slice/app.scope/memory.max": "max",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash",
    "/etc/systemd/logind.conf": "[Login]\n#RemoveIPC=yes\nRemoveIPC=no",
}
LINKS = {"/proc/self/ns/pid": "pid:[4026531836]", "/proc/self/ns/time": "time:[4026531834]"}

# What can be found out only by trying, and so not here.
TRIED = {"loopback", "ping", "glibc", "nosignal", "pidfd", "pidfs", "peer-pidfd", "futex-waitv", "membarrier",
         "wipe-on-fork", "ofd-locks", "future-write", "fallocate", "close-range",
         "domains"}


def limit(name, soft, hard=None):
    """A change of a row of /proc/self/limits."""
    return {"limits": {name: (soft, hard or soft, LIMITS[name][2])}}


def status(**rows):
    return {"status": rows}


def mount(point, line):
    """Another line for what is mounted there; None: nothing is."""
    return {"mounts": {point: line}}


class Machine:
    def __init__(self, root):
        self.root = root
        self.make()

    def make(self, *changes):
        """Makes all of it anew, but for these changes: {path: text or None}, or what the functions above return."""
        shutil.rmtree(self.root, ignore_errors=True)
        tables = {"limits": dict(LIMITS), "status": dict(STATUS), "mounts": dict(MOUNTS)}
        files = dict(FILES)
        links = dict(LINKS)
        for change in changes:
            for key, value in change.items():
                if key in tables:
                    tables[key].update(value)
                elif key in links:
                    links[key] = value
                else:
                    files[key] = value
        files["/proc/self/limits"] = "Limit Soft Hard Units\n" + "\n".join(
            f"{name:25} {soft:20} {hard:20} {unit}" for name, (soft, hard, unit) in tables["limits"].items())
        files["/proc/self/status"] = "\n".join(f"{key}:\t{value}" for key, value in tables["status"].items())
        files["/proc/self/mountinfo"] = "\n".join(line for line in tables["mounts"].values() if line)
        for path in ("/dev/shm", "/run/systemd/seats"):
            os.makedirs(self.path(path))
        os.chmod(self.path("/dev/shm"), 0o1777)
        for path, text in files.items():
            if text is not None:
                self.write(path, text)
        for path, target in links.items():
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            os.symlink(target, self.path(path))

    def path(self, path):
        return self.root + path

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode() + b"\n")

    def files(self):
        """Every file of it, by its path on the machine."""
        return sorted(os.path.join(folder, name)[len(self.root):]
                      for folder, _, names in os.walk(self.root) for name in names)

    def picture(self):
        """All that there is, to see that nothing of it was changed."""
        return {(folder, name, os.lstat(os.path.join(folder, name)).st_mtime_ns)
                for folder, folders, names in os.walk(self.root) for name in names + folders}
