"""Only src/sys makes system calls, asks for memory and reads errno; nothing in the library prints or exits.

src/base, which may not look up at src/sys, asks the C library for memory."""

import re

import lint

# The C library's names for system calls, as far as a library of this kind could want them.
CALLS = """
    accept accept4 access acct adjtimex alarm bind brk chdir chmod chown chroot clock_getres clock_gettime
    clock_nanosleep clock_settime clone close close_range closedir connect copy_file_range creat daemon dup dup2 dup3
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd_read eventfd_write
    execl execle execlp execv execve execveat execvp execvpe faccessat fallocate fchdir fchmod fchmodat fchown
    fchownat fcntl fdatasync fdopendir fexecve fgetxattr flock fork fstat fstatat fstatfs fsync ftok ftruncate futex
    futimens getcpu getcwd getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid
    getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid
    gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl isatty kill
    lchown lgetxattr link linkat listen lockf lseek lstat madvise membarrier memfd_create mincore mkdir mkdirat mkfifo
    mkfifoat mknod mknodat mlock mlock2 mlockall mmap mount mprotect mq_close mq_getattr mq_notify mq_open mq_receive
    mq_send mq_setattr mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munmap
    name_to_handle_at nanosleep nice open open_by_handle_at openat openat2 opendir pause perf_event_open pidfd_getfd
    pidfd_open pidfd_send_signal pipe pipe2 poll posix_fadvise posix_fallocate posix_spawn posix_spawnp ppoll prctl
    pread preadv preadv2 prlimit process_vm_readv process_vm_writev pselect pthread_create pthread_kill
    pthread_sigmask pthread_sigqueue ptrace pwrite pwritev pwritev2 raise read readahead readdir readlink readlinkat
    readv realpath recv recvfrom recvmmsg recvmsg remove rename renameat renameat2 rmdir sched_getaffinity
    sched_getcpu sched_setaffinity sched_yield select sem_close sem_destroy sem_getvalue sem_init sem_open sem_post
    sem_timedwait sem_trywait sem_unlink sem_wait semctl semget semop semtimedop send sendfile sendmmsg sendmsg sendto
    setegid seteuid setgid setitimer setns setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid
    setsockopt setuid setxattr shm_open shm_unlink shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal
    signalfd sigpending sigprocmask sigqueue sigsuspend sigtimedwait sigwait sigwaitinfo sleep socket socketpair
    splice stat statfs statvfs statx symlink symlinkat sync sync_file_range syncfs syscall sysconf sysinfo system tee tgkill time
    timer_create timer_delete timer_settime timerfd_create timerfd_gettime timerfd_settime times truncate umask umount
    umount2 uname unlink unlinkat unshare usleep utimensat vfork vmsplice wait wait3 wait4 waitid waitpid write writev
""".split()
MEMORY = """
    malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf posix_memalign aligned_alloc
""".split()
LOUD = """
    printf vprintf fprintf vfprintf dprintf vdprintf puts fputs putchar fputc fwrite perror psignal fopen fdopen
    freopen popen exit _exit _Exit quick_exit abort err errx warn warnx syslog
""".split()
# Headers that are there for their calls; those that also have the types and constants of an interface aren't listed.
HEADERS = """
    dirent.h err.h mqueue.h sched.h semaphore.h spawn.h sys/eventfd.h sys/file.h sys/inotify.h sys/ioctl.h sys/mman.h
    sys/msg.h sys/prctl.h sys/ptrace.h sys/sem.h sys/sendfile.h sys/shm.h sys/signalfd.h sys/syscall.h
    sys/timerfd.h sys/wait.h syslog.h unistd.h
""".split()
WHY = {
    **{name: f"{name}() is a system call: only src/sys makes them" for name in CALLS},
    **{name: f"{name}(): memory comes from sys/memory.h, so that a test can make it fail" for name in MEMORY},
    **{name: f"{name}(): the library never prints and never exits" for name in LOUD},
}
CALL = re.compile(rf"(?<![\w.>])({'|'.join(sorted(WHY, key=len, reverse=True))})\s*\(")


def check(root, _):
    for path in lint.files(root, "*.c", "*.h", below=["src"]):
        if lint.is_test(path):
            continue
        inside = path.is_relative_to(root / "src" / "sys")
        below = path.is_relative_to(root / "src" / "base")
        text = re.sub(r"(?m)^\s*#\s*include.*$", "", lint.code(lint.read(path)))
        for match in CALL.finditer(text):
            if match[1] in LOUD or not inside and not (below and match[1] in MEMORY):
                yield lint.Finding(path, lint.line_of(text, match.start(1)), WHY[match[1]])
        if inside:
            continue
        for match in re.finditer(r"\berrno\b", text):
            yield lint.Finding(path, lint.line_of(text, match.start()), "errno is read only in src/sys")
        for line, kind, included in lint.includes(path):
            if kind == "angled" and (included in HEADERS or included.startswith(("linux/", "asm/"))):
                yield lint.Finding(path, line, f"<{included}> is for system calls: only src/sys includes it")


if __name__ == "__main__":
    lint.main(check)
