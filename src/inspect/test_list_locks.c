/* SPDX-License-Identifier: Apache-2.0 */
/* The list of file locks: of the real /proc, and of one that shows what the real one rarely does. */
#include <sys/file.h>

#include "harness/fault.h"
#include "inspect/list.h"
#include "inspect/test_inspect_proc.h"
#include "sys/memory.h"

#define LOCKS                                                                                        \
	(NONET_INSPECT_SCHEME(NONET_SCHEME_OFDLOCK) | NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXLOCK) | \
	 NONET_INSPECT_SCHEME(NONET_SCHEME_FLOCK))

/* A process of ours that knows the file as @path. */
static void process_with_path(int pid, const char *path, const char *fdinfo)
{
	char name[64], link[256];

	proc_process(pid, "holder\n", fdinfo);
	snprintf(name, sizeof(name), "%d/fd", pid);
	proc_mkdir(name);
	snprintf(link, sizeof(link), "%s/%s/5", proc, name);
	test_must(symlink(path, link));
}

static int look_into_ours(struct nonet_inspect_list **ret_list)
{
	struct nonet_inspect_list *list = sys_allocate(sizeof(*list));
	struct look look = {.list = list, .schemes = LOCKS, .deadline = NONET_FOREVER};
	int error = list ? look_at_locks_in(proc, &look) : -ENOMEM;

	if (error < 0)
		nonet_inspect_free(list);
	else
		*ret_list = list;
	return error;
}

static struct nonet_inspect_list *look(void)
{
	struct nonet_inspect_list *list = NULL;

	test_check_equal(look_into_ours(&list), 0);
	return list;
}

/* The @index-th of an address, from 0; or NULL. */
static const struct nonet_inspect_object *find(const struct nonet_inspect_list *list, const char *address, size_t index)
{
	const struct nonet_inspect_object *object;

	for (size_t i = 0; (object = nonet_inspect_get(list, i)); i++)
		if (strcmp(object->address, address) == 0 && index-- == 0)
			return object;
	return NULL;
}

static void locks_are_listed_by_the_path_that_their_holder_knows(void **state)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
	const char *directory = test_directory_new();
	const struct nonet_inspect_object *object;
	struct nonet_inspect_list *list;
	char path[128], other[128], address[256];
	int open_file, whole, classic;

	(void)state;
	snprintf(path, sizeof(path), "%s", test_path(directory, "a b"));
	snprintf(other, sizeof(other), "%s", test_path(directory, "c"));
	open_file = (int)test_must(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	whole = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	classic = (int)test_must(open(other, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	test_must(fcntl(open_file, F_OFD_SETLK, &range));
	test_must(flock(whole, LOCK_SH));
	range.l_len = 0;
	test_must(fcntl(classic, F_SETLK, &range));

	test_check_equal(nonet_inspect_objects(LOCKS, test_after(NONET_S(20)), &list, NULL), 0);
	snprintf(address, sizeof(address), "ofdlock:%s/a%%20b", directory);
	object = find(list, address, 0);
	test_check(object != NULL);
	test_check_equal(object->scheme, NONET_SCHEME_OFDLOCK);
	test_check_equal(object->count, 10);
	test_check_equal(object->bytes, 5);
	test_check_equal(object->waiters, 0);
	test_check_equal(object->pid, getpid());
	test_check_equal(object->flags, 0);
	test_check_equal(object->known,
			 NONET_INSPECT_BYTES | NONET_INSPECT_COUNT | NONET_INSPECT_WAITERS | NONET_INSPECT_PID);
	snprintf(address, sizeof(address), "flock:%s/a%%20b", directory);
	object = find(list, address, 0);
	test_check(object != NULL);
	test_check_equal(object->count, 0);
	test_check_equal(object->bytes, 0);
	test_check_equal(object->flags, NONET_INSPECT_SHARED);
	snprintf(address, sizeof(address), "posixlock:%s/c", directory);
	object = find(list, address, 0);
	test_check(object != NULL);
	test_check_equal(object->count, 10);
	test_check_equal(object->bytes, 0);
	test_check_equal(object->pid, getpid());
	nonet_inspect_free(list);

	/* What wasn't asked for isn't there; nor is a path any more that is gone. */
	test_must(unlink(other));
	test_check_equal(nonet_inspect_objects(NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXLOCK), test_after(NONET_S(20)),
					       &list, NULL),
			 0);
	object = find(list, address, 0);
	test_check(object != NULL);
	test_check_equal(object->flags, NONET_INSPECT_REMOVED);
	snprintf(address, sizeof(address), "ofdlock:%s/a%%20b", directory);
	test_check(find(list, address, 0) == NULL);
	nonet_inspect_free(list);
	test_must(unlink(path));
	close(open_file);
	close(whole);
	close(classic);
	test_directory_free(directory);
}

static void a_file_may_be_called_deleted(void **state)
{
	const char *directory = test_directory_new();
	struct nonet_inspect_list *list;
	char path[128], address[256];
	int file;

	(void)state;
	snprintf(path, sizeof(path), "%s", test_path(directory, "a (deleted)"));
	file = (int)test_must(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	test_must(flock(file, LOCK_EX));
	test_check_equal(nonet_inspect_objects(LOCKS, test_after(NONET_S(20)), &list, NULL), 0);
	snprintf(address, sizeof(address), "flock:%s/a%%20(deleted)", directory);
	test_check(find(list, address, 0) != NULL);
	test_check_equal(find(list, address, 0)->flags, 0);
	nonet_inspect_free(list);
	test_must(unlink(path));
	close(file);
	test_directory_free(directory);
}

static void who_waits_is_counted_for_who_has_it(void **state)
{
	const struct nonet_inspect_object *object;
	struct nonet_inspect_list *list;

	(void)state;
	proc_write("locks", "1: LEASE  ACTIVE    WRITE 9 00:2a:77 0 EOF\n"
			    "1: -> LEASE  BREAKER   READ 10 00:2a:77 0 EOF\n"
			    "2: POSIX  ADVISORY  WRITE 100 00:2a:77 5 9\n"
			    "2: -> POSIX  ADVISORY  WRITE 101 00:2a:77 5 9\n"
			    "2:  -> POSIX  ADVISORY  READ 102 00:2a:77 5 9\n"
			    "3: POSIX  ADVISORY  READ 100 00:2a:77 20 EOF\n"
			    "4: OTHER  ADVISORY  WRITE 9 00:2a:77 0 EOF\n"
			    "4: -> POSIX  ADVISORY  WRITE 10 00:2a:77 0 EOF\n");
	process_with_path(100, "/srv/a",
			  "lock:\t1: POSIX  ADVISORY  WRITE 100 00:2a:77 5 9\n"
			  "lock:\t2: POSIX  ADVISORY  READ 100 00:2a:77 20 EOF\n");
	list = look();
	test_check_equal(nonet_inspect_count(list), 2);
	object = find(list, "posixlock:/srv/a", 0);
	test_check_equal(object->count, 5);
	test_check_equal(object->bytes, 5);
	test_check_equal(object->waiters, 2);
	object = find(list, "posixlock:/srv/a", 1);
	test_check_equal(object->count, 20);
	test_check_equal(object->waiters, 0);
	test_check_equal(object->flags, NONET_INSPECT_SHARED);
	test_check_equal(nonet_inspect_get_coverage(list)->places, 0);
	nonet_inspect_free(list);
}

static void an_inherited_lock_is_one_and_equal_ones_are_two(void **state)
{
	struct nonet_inspect_list *list;

	(void)state;
	/* The first comes again: the kernel had moved it behind where it was read to. */
	proc_write("locks", "1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n"
			    "1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n"
			    "2: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n"
			    "3: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	process_with_path(100, "/srv/a", "lock:\t1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n");
	process_with_path(101, "/srv/a",
			  "lock:\t1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n"
			  "lock:\t2: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n"
			  "lock:\t2: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	process_with_path(102, "/srv/a",
			  "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n"
			  "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	list = look();
	test_check_equal(nonet_inspect_count(list), 3);
	test_check(find(list, "flock:/srv/a", 0) != NULL);
	test_check(find(list, "flock:/srv/a", 1) == NULL);
	test_check(find(list, "ofdlock:/srv/a", 1) != NULL);
	test_check_equal(find(list, "ofdlock:/srv/a", 0)->pid + find(list, "ofdlock:/srv/a", 1)->pid, 101 + 102);
	nonet_inspect_free(list);
}

/* Its taker has ended, and isn't in a PID namespace's /proc/locks. */
static void a_lock_that_only_its_holder_shows_is_listed(void **state)
{
	struct nonet_inspect_list *list;

	(void)state;
	process_with_path(101, "/srv/a", "lock:\t1: FLOCK  ADVISORY  WRITE 0 00:2a:77 0 EOF\n");
	list = look();
	test_check_equal(nonet_inspect_count(list), 1);
	test_check_equal(find(list, "flock:/srv/a", 0)->pid, 101);
	nonet_inspect_free(list);
}

static void no_path_is_invented(void **state)
{
	const struct nonet_inspect_object *object;
	struct nonet_inspect_list *list;

	(void)state;
	/* Of 77 somebody knows the path, of 78 nobody; 79 has none. */
	proc_write("locks", "1: POSIX  ADVISORY  WRITE 99 00:2a:77 0 4\n"
			    "2: OFDLCK ADVISORY  READ -1 00:2a:77 5 9\n"
			    "3: POSIX  ADVISORY  WRITE 99 00:2a:78 0 EOF\n"
			    "4: FLOCK  ADVISORY  WRITE 102 00:2a:79 0 EOF\n");
	process_with_path(101, "/srv/a", "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 5 9\n");
	process_with_path(102, "/memfd:x (deleted)", "lock:\t1: FLOCK  ADVISORY  WRITE 102 00:2a:79 0 EOF\n");
	list = look();
	test_check_equal(nonet_inspect_count(list), 2);
	object = find(list, "posixlock:/srv/a", 0);
	test_check(object != NULL);
	test_check_equal(object->pid, 99);
	test_check_equal(find(list, "ofdlock:/srv/a", 0)->pid, 101);
	test_check_equal(nonet_inspect_get_coverage(list)->places, 2);
	nonet_inspect_free(list);
}

static int run_look(void *state, void *outputs)
{
	(void)state;
	return look_into_ours(outputs);
}

static void forget(void *state, void *outputs)
{
	struct nonet_inspect_list *list = *(struct nonet_inspect_list **)outputs;
	const struct nonet_inspect_coverage *coverage = nonet_inspect_get_coverage(list);

	(void)state;
	/* What isn't shown is owned up to. */
	test_check(nonet_inspect_count(list) == 2 || coverage->places > 0 || coverage->unreadable > 0);
	nonet_inspect_free(list);
}

static void looking_fails_cleanly(void **state)
{
	(void)state;
	proc_write("locks", "1: POSIX  ADVISORY  WRITE 100 00:2a:77 0 EOF\n"
			    "2: FLOCK  ADVISORY  WRITE 101 00:2a:77 0 EOF\n");
	process_with_path(100, "/srv/a", "lock:\t1: POSIX  ADVISORY  WRITE 100 00:2a:77 0 EOF\n");
	process_with_path(101, "/srv/a (deleted)", "lock:\t1: FLOCK  ADVISORY  WRITE 101 00:2a:77 0 EOF\n");
	test_fault_sweep(&(struct test_operation){
		.name = "inspect locks",
		.run = run_look,
		.release = forget,
		.outputs_size = sizeof(struct nonet_inspect_list *),
		.persistent = true,
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(locks_are_listed_by_the_path_that_their_holder_knows),
		test_case(a_file_may_be_called_deleted),
		test_case_with(who_waits_is_counted_for_who_has_it, &with_proc),
		test_case_with(an_inherited_lock_is_one_and_equal_ones_are_two, &with_proc),
		test_case_with(a_lock_that_only_its_holder_shows_is_listed, &with_proc),
		test_case_with(no_path_is_invented, &with_proc),
		test_case_with(looking_fails_cleanly, &with_proc),
	};

	return test_main(tests);
}
