/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/leak.h"
#include "harness/must_fail.h"
#include "harness/test.h"

static void leaves_a_descriptor(void **state)
{
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	close(fds[0]);
	if (!planted)
		close(fds[1]);
}

static void closes_a_descriptor_that_is_not_its_own(void **state)
{
	(void)state;
	if (planted)
		close(STDIN_FILENO);
}

static atomic_bool helper_ends;

/* As one of the library's: it runs while it has a descriptor, and has none while it sleeps. */
static void *help(void *argument)
{
	while (!atomic_load(&helper_ends)) {
		const int fd = (int)test_must(open("/dev/null", O_RDONLY | O_CLOEXEC));
		const nonet_time until = test_after(NONET_US(100));

		while (test_clock() < until)
			;
		close(fd);
		test_poll(NULL, 0, test_after(NONET_MS(5)));
	}
	return argument;
}

static void leaves_a_descriptor_beside_a_helper(void **state)
{
	pthread_t helper;

	(void)state;
	test_must(-pthread_create(&helper, NULL, help, NULL));
	for (int i = 0; i < 200; i++) {
		struct test_leak *leak = test_leak_begin();

		if (planted && i == 100)
			test_must(open("/dev/zero", O_RDONLY | O_CLOEXEC));
		test_leak_end(leak);
	}
	atomic_store(&helper_ends, true);
	pthread_join(helper, NULL);
}

static _Noreturn void idle(void)
{
	for (;;)
		pause();
}

static void leaves_a_child(void **state)
{
	pid_t pid = (pid_t)test_must(fork());

	(void)state;
	if (pid == 0)
		idle();
	if (!planted) {
		kill(pid, SIGKILL);
		test_must(waitpid(pid, NULL, 0));
	}
}

static void leaves_a_zombie(void **state)
{
	siginfo_t information;
	pid_t pid = (pid_t)test_must(fork());

	(void)state;
	if (pid == 0)
		_exit(0);
	test_must(waitid(P_PID, (id_t)pid, &information, WEXITED | (planted ? WNOWAIT : 0)));
}

static int wait_for_death(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	idle();
}

static void forgets_a_child_of_the_harness(void **state)
{
	struct test_child *child = test_child_until(wait_for_death, NULL);

	(void)state;
	if (!planted)
		test_kill(child);
}

static void leaves_a_name_in_its_directory(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "straggler");

	(void)state;
	close((int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	if (!planted)
		test_must(unlink(path));
	test_directory_free(directory);
}

static void forgets_its_directory(void **state)
{
	const char *directory = test_directory_new();

	(void)state;
	if (!planted)
		test_directory_free(directory);
}

static char shared_path[128];

static void remove_shared_memory(void)
{
	unlink(shared_path);
}

static void leaves_shared_memory(void **state)
{
	(void)state;
	snprintf(shared_path, sizeof(shared_path), "/dev/shm/%s", test_name("straggler"));
	close((int)test_must(open(shared_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	if (!planted)
		remove_shared_memory();
	else /* after the leak check: nobody else would */
		atexit(remove_shared_memory);
}

static char queue_name[128];

static void remove_queue(void)
{
	mq_unlink(queue_name);
}

static void leaves_a_posix_queue(void **state)
{
	const struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 1};

	(void)state;
	snprintf(queue_name, sizeof(queue_name), "/%s", test_name("straggler"));
	mq_close((mqd_t)test_must(mq_open(queue_name, O_CREAT | O_EXCL | O_RDONLY, 0600, &small)));
	if (!planted)
		remove_queue();
	else
		atexit(remove_queue);
}

static int set_of_semaphores;

static void remove_set_of_semaphores(void)
{
	semctl(set_of_semaphores, 0, IPC_RMID);
}

static void leaves_a_system_v_object(void **state)
{
	(void)state;
	set_of_semaphores = (int)test_must(semget(test_sysv_key(), 1, IPC_CREAT | IPC_EXCL | 0600));
	if (!planted)
		remove_set_of_semaphores();
	else
		atexit(remove_set_of_semaphores);
}

static void leaves_an_abstract_socket(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)test_must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	(void)state;
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", test_name("straggler"));
	test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!planted)
		close(fd);
}

static void leave_mapping(int flags, int fd)
{
	void *memory = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_true(memory != MAP_FAILED);
	if (!planted)
		munmap(memory, 5 * 4096);
}

static void leaves_a_shared_mapping(void **state)
{
	int fd = (int)test_must(memfd_create("straggler", MFD_CLOEXEC));

	(void)state;
	test_must(ftruncate(fd, 5 * 4096));
	leave_mapping(MAP_SHARED, fd);
	close(fd);
}

static void leaves_a_private_mapping(void **state)
{
	(void)state;
	leave_mapping(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void *thread_main(void *argument)
{
	char byte;

	return read(*(int *)argument, &byte, 1) < 0 ? argument : NULL;
}

static void leaves_a_thread(void **state)
{
	static int fds[2];
	pthread_t thread;

	(void)state;
	test_must(pipe(fds));
	assert_int_equal(pthread_create(&thread, NULL, thread_main, &fds[0]), 0);
	if (planted)
		return;
	close(fds[1]);
	pthread_join(thread, NULL);
	close(fds[0]);
}

const struct must_fail must_fail_leak[] = {
	{"descriptor", leaves_a_descriptor, "leaked descriptor "},
	{"descriptor-helper", leaves_a_descriptor_beside_a_helper, "leaked descriptor "},
	{"descriptor-closed", closes_a_descriptor_that_is_not_its_own, "descriptor 0, open before, was closed"},
	{"child", leaves_a_child, "still running"},
	{"zombie", leaves_a_zombie, "ended but not reaped"},
	{"child-handle", forgets_a_child_of_the_harness, "(wait_for_death) was started, but neither joined nor killed"},
	{"name", leaves_a_name_in_its_directory, ": straggler"},
	{"directory", forgets_its_directory, "leaked test directory "},
	{"shared-name", leaves_shared_memory, "leaked name in /dev/shm nonet-test-"},
	{"posix-queue", leaves_a_posix_queue, "leaked POSIX message queue nonet-test-"},
	{"sysv-object", leaves_a_system_v_object, "leaked System V object set of semaphores "},
	{"abstract-socket", leaves_an_abstract_socket, "leaked abstract socket @nonet-test-"},
	{"mapping-shared", leaves_a_shared_mapping, "leaked mapping of 20480 bytes: /memfd:straggler"},
	{"mapping-private", leaves_a_private_mapping, "leaked mapping of 20480 bytes: private memory"},
	{"thread", leaves_a_thread, "leaked thread "},
	{0},
};
