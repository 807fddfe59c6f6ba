/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <nonet/inspect.h>

#include "harness/test.h"
#include "inspect/mounts.h"

#define SOON test_after(NONET_S(20))

static struct nonet_inspect_list *look_at(uint64_t schemes)
{
	struct nonet_inspect_list *list;
	struct nonet_error error;

	assert_int_equal(nonet_inspect_objects(schemes, SOON, &list, &error), 0);
	return list;
}

static const struct nonet_inspect_object *find(const struct nonet_inspect_list *list, const char *address)
{
	const struct nonet_inspect_object *object;

	for (size_t i = 0; (object = nonet_inspect_get(list, i)); i++)
		if (strcmp(object->address, address) == 0)
			return object;
	return NULL;
}

/* An address of these parts, in a buffer that the next but one call reuses. */
static const char *address(const char *scheme, const char *rest)
{
	static char text[2][512];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "%s:%s", scheme, rest);
	return text[turn];
}

static void is_ours(const struct nonet_inspect_object *object, unsigned int mode)
{
	assert_non_null(object);
	assert_true(object->known & NONET_INSPECT_OWNER);
	assert_int_equal(object->owner, geteuid());
	assert_int_equal(object->group, getegid());
	assert_int_equal(object->mode, mode);
	assert_true(object->known & NONET_INSPECT_CREATED);
	/* Of a clock that may have been set, but not by an hour in this minute; System V counts seconds. */
	assert_true(object->created > ((int64_t)time(NULL) - 3600) * NONET_S(1));
	assert_true(object->created <= ((int64_t)time(NULL) + 1) * NONET_S(1));
}

static void system_v_objects_are_listed_by_key_or_id(void **state)
{
	/* Of a process that lives: another run of this test has another. */
	const key_t key = (key_t)(0x4e000000 | (getpid() & 0xffffff));
	struct {
		long type;
		char text[5];
	} message = {.type = 7, .text = "hello"};
	struct nonet_inspect_list *list;
	const struct nonet_inspect_object *object;
	int queue, set, memory, unnamed;
	char rest[32];
	void *mapped;

	(void)state;
	queue = msgget(key, IPC_CREAT | IPC_EXCL | 0640);
	set = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
	memory = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0604);
	unnamed = msgget(IPC_PRIVATE, 0600);
	assert_true(queue >= 0 && set >= 0 && memory >= 0 && unnamed >= 0);
	assert_int_equal(msgsnd(queue, &message, sizeof(message.text), IPC_NOWAIT), 0);
	mapped = shmat(memory, NULL, 0);
	assert_ptr_not_equal(mapped, (void *)-1);

	list = look_at(NONET_INSPECT_ALL);
	snprintf(rest, sizeof(rest), "0x%08x", (unsigned int)key);
	object = find(list, address("sysvmsg", rest));
	is_ours(object, 0640);
	assert_int_equal(object->id, queue);
	assert_int_equal(object->bytes, 5);
	assert_int_equal(object->count, 1);
	assert_true(object->known & NONET_INSPECT_USED);
	object = find(list, address("sysvsem", rest));
	is_ours(object, 0600);
	assert_int_equal(object->room, 3);
	assert_false(object->known & NONET_INSPECT_USED);
	object = find(list, address("sysvshm", rest));
	is_ours(object, 0604);
	assert_int_equal(object->bytes, 5000);
	assert_int_equal(object->users, 1);
	assert_int_equal(object->pid, getpid());
	assert_false(object->flags & NONET_INSPECT_REMOVED);
	snprintf(rest, sizeof(rest), "id=%d", unnamed);
	object = find(list, address("sysvmsg", rest));
	is_ours(object, 0600);
	assert_int_equal(object->count, 0);
	nonet_inspect_free(list);

	/* Marked for removal it has no key any more, but is there until the last detaches. */
	assert_int_equal(shmctl(memory, IPC_RMID, NULL), 0);
	list = look_at(NONET_INSPECT_SCHEME(NONET_SCHEME_SYSVSHM));
	snprintf(rest, sizeof(rest), "id=%d", memory);
	object = find(list, address("sysvshm", rest));
	assert_non_null(object);
	assert_true(object->flags & NONET_INSPECT_REMOVED);
	/* What wasn't asked for isn't there. */
	snprintf(rest, sizeof(rest), "id=%d", unnamed);
	assert_null(find(list, address("sysvmsg", rest)));
	nonet_inspect_free(list);

	shmdt(mapped);
	msgctl(queue, IPC_RMID, NULL);
	msgctl(unnamed, IPC_RMID, NULL);
	semctl(set, 0, IPC_RMID);
}

static void posix_objects_are_listed_by_name(void **state)
{
	char name[64] = "/", escaped[64] = "/";
	struct nonet_inspect_list *list;
	const struct nonet_inspect_object *object;
	mode_t before = umask(0);
	sem_t *semaphore;
	int memory;

	(void)state;
	strcat(name, test_name("a b"));
	strcat(escaped, test_name("a%20b"));
	/* Each name is another one. */
	memcpy(escaped, name, strlen(name) - strlen("a b"));
	semaphore = sem_open(name, O_CREAT | O_EXCL, 0640, 7);
	memory = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0620);
	umask(before);
	assert_ptr_not_equal(semaphore, SEM_FAILED);
	assert_true(memory >= 0);
	assert_int_equal(ftruncate(memory, 12345), 0);

	list = look_at(NONET_INSPECT_ALL);
	object = find(list, address("posixsem", escaped));
	is_ours(object, 0640);
	assert_int_equal(object->count, 7);
	assert_true(object->known & NONET_INSPECT_WAITERS);
	assert_int_equal(object->waiters, 0);
	object = find(list, address("posixshm", escaped));
	is_ours(object, 0620);
	assert_int_equal(object->bytes, 12345);
	nonet_inspect_free(list);

	sem_close(semaphore);
	sem_unlink(name);
	shm_unlink(name);
	close(memory);
}

static void posix_queues_are_listed_for_who_may_mount_them(void **state)
{
	char name[64] = "/";
	struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
	struct nonet_inspect_list *list;
	const struct nonet_inspect_object *object;
	mqd_t queue;

	(void)state;
	strcat(name, test_name("queue"));
	queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
	assert_true(queue >= 0);
	assert_int_equal(mq_send(queue, "hello", 5, 0), 0);
	assert_int_equal(mq_send(queue, "you", 3, 0), 0);
	list = look_at(NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXMQ));
	object = find(list, address("posixmq", name));
	if (nonet_inspect_get_coverage(list)->no_queues) {
		assert_null(object);
	} else {
		const int64_t used = object->used;

		assert_non_null(object);
		assert_int_equal(object->owner, geteuid());
		assert_int_equal(object->mode, 0600);
		assert_int_equal(object->count, 2);
		assert_int_equal(object->room, 4);
		assert_true(object->known & NONET_INSPECT_USED);
		/* Looking isn't use. */
		nonet_inspect_free(list);
		list = look_at(NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXMQ));
		object = find(list, address("posixmq", name));
		assert_non_null(object);
		assert_true(object->used == used);
	}
	nonet_inspect_free(list);
	mq_close(queue);
	mq_unlink(name);
}

static int bind_to(const char *path, int type)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(name.sun_path, path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static void names_in_the_file_system_tell_whether_somebody_has_them(void **state)
{
	struct nonet_inspect_list *list;
	const struct nonet_inspect_object *object;
	const char *directory = test_directory_new();
	char stream[64], datagram[64], left[64], fifo[64], unused[64];
	int listener, bound, stale, reader;

	(void)state;
	strcpy(stream, test_path(directory, "stream"));
	strcpy(datagram, test_path(directory, "datagram"));
	strcpy(left, test_path(directory, "left"));
	strcpy(fifo, test_path(directory, "fifo"));
	strcpy(unused, test_path(directory, "unused"));
	listener = bind_to(stream, SOCK_STREAM);
	assert_int_equal(listen(listener, 1), 0);
	bound = bind_to(datagram, SOCK_DGRAM);
	stale = bind_to(left, SOCK_STREAM);
	close(stale);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkfifo(unused, 0600), 0);
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	list = look_at(NONET_INSPECT_ALL);
	object = find(list, address("unix", stream));
	assert_non_null(object);
	assert_int_equal(object->owner, geteuid());
	assert_true(object->flags & NONET_INSPECT_LISTENING);
	assert_int_equal(object->users, 1);
	object = find(list, address("unix-dgram", datagram));
	assert_non_null(object);
	assert_int_equal(object->users, 1);
	assert_int_equal(object->flags, 0);
	object = find(list, address("unix", left));
	assert_non_null(object);
	assert_int_equal(object->users, 0);
	assert_int_equal(object->flags, NONET_INSPECT_STALE);
	object = find(list, address("fifo", fifo));
	is_ours(object, 0600);
	assert_int_equal(object->users, 1);
	assert_int_equal(object->flags, 0);
	object = find(list, address("fifo", unused));
	is_ours(object, 0600);
	assert_int_equal(object->users, 0);
	assert_int_equal(object->flags, NONET_INSPECT_STALE);
	assert_true(nonet_inspect_get_coverage(list)->processes > 0);
	nonet_inspect_free(list);
	close(listener);
	close(bound);
	close(reader);
	unlink(stream);
	unlink(datagram);
	unlink(left);
	unlink(fifo);
	unlink(unused);
	test_directory_free(directory);
}

static void what_isnt_reached_in_time_is_counted(void **state)
{
	struct nonet_inspect_list *list;
	const struct nonet_inspect_coverage *coverage;

	(void)state;
	assert_int_equal(nonet_inspect_objects(NONET_INSPECT_SCHEME(NONET_SCHEME_FIFO), NONET_NOW, &list, NULL), 0);
	coverage = nonet_inspect_get_coverage(list);
	assert_true(coverage->processes > 0);
	assert_int_equal(coverage->unreadable, coverage->processes);
	assert_true(coverage->places > 0);
	nonet_inspect_free(list);
}

static void a_remote_file_system_is_left_alone(void **state)
{
	struct mounts mounts = {.text = (char *)"22 1 0:20 / / rw - ext4 /dev/a rw\n"
						"23 22 0:21 / /net\\040home rw shared:1 - nfs4 server:/ rw\n"
						"24 22 0:22 / /s rw,nosuid - fuse.sshfs x rw\n"};

	(void)state;
	assert_false(mounts_may_hang(&mounts, "/tmp/x"));
	assert_true(mounts_may_hang(&mounts, "/net home/x"));
	assert_false(mounts_may_hang(&mounts, "/net homes/x"));
	assert_true(mounts_may_hang(&mounts, "/s"));
	assert_false(mounts_may_hang(&mounts, "/srv/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(system_v_objects_are_listed_by_key_or_id),
		test_case(posix_objects_are_listed_by_name),
		test_case(posix_queues_are_listed_for_who_may_mount_them),
		test_case(names_in_the_file_system_tell_whether_somebody_has_them),
		test_case(what_isnt_reached_in_time_is_counted),
		test_case(a_remote_file_system_is_left_alone),
	};
	return test_main(tests);
}
