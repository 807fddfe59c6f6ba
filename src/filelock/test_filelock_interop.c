/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that know nothing of nonet: flock(1), and SQLite, whose databases have classic locks. */
#include <stdlib.h>

#include <nonet/address.h>
#include <nonet/inspect.h>
#include <nonet/process.h>

#include "filelock/test_filelock.h"
#include "harness/run.h"

static int status_of(const char *const arguments[])
{
	struct test_result result;
	int status;

	test_run(arguments, NULL, 0, test_deadline(), &result);
	status = result.status;
	test_run_free(&result);
	return status;
}

#define STATUS(...) status_of((const char *const[]){__VA_ARGS__, NULL})

static void need(const char *program)
{
	if (STATUS("sh", "-c", "command -v \"$0\"", program) != 0)
		test_skip(program, "a program that locks files, and isn't nonet");
}

/* A program that says a line once it has the lock, and keeps it until its input ends. */
static struct nonet_process *start(const char *const arguments[], const char *input)
{
	const struct nonet_process_options piped = {
		.size = sizeof(piped),
		.input = {.kind = NONET_PROCESS_PIPE},
		.output = {.kind = NONET_PROCESS_PIPE},
	};
	struct nonet_process *process = NULL;
	char line[5] = "";
	size_t size = strlen(input);

	test_check_equal(nonet_process_spawn(arguments, &piped, &process, NULL), 0);
	test_check_equal(nonet_pipe_write(nonet_process_input(process), input, size, test_deadline(), NULL), 0);
	test_check_equal(nonet_pipe_read_exactly(nonet_process_output(process), line, 5, test_deadline(), NULL), 0);
	test_check(memcmp(line, "held\n", 5) == 0);
	return process;
}

#define START(input, ...) start((const char *const[]){__VA_ARGS__, NULL}, (input))

static void end(struct nonet_process *process)
{
	struct nonet_process_status status = {.how = 0};

	nonet_process_finish_input(process);
	test_check_equal(nonet_process_wait(process, test_deadline(), &status), 0);
	test_check_equal(status.how, NONET_PROCESS_EXITED);
	test_check_equal(status.code, 0);
	nonet_process_close(process);
}

static void flock_and_nonet_exclude_each_other(void **state)
{
	const char *script = "echo held; read line; exit 0";
	struct nonet_filelock *lock;
	struct nonet_process *process;

	(void)state;
	need("flock");
	lock = open_lock("flock", NULL);
	assert_int_equal(STATUS("flock", "-n", path, "true"), 0);
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	assert_int_equal(STATUS("flock", "-n", "-s", path, "true"), 0);
	assert_int_equal(STATUS("flock", "-n", "-x", path, "true"), 1);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	assert_int_equal(STATUS("flock", "-n", "-s", path, "true"), 1);
	assert_int_equal(STATUS("flock", "-w", "0.05", path, "true"), 1);
	assert_int_equal(nonet_filelock_unlock(lock), 0);

	process = START("", "flock", "-s", path, "sh", "-c", script);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, nonet_after(NONET_MS(5))), -ETIMEDOUT);
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	assert_int_equal(nonet_filelock_unlock(lock), 0);
	end(process);

	process = START("", "flock", "-x", path, "sh", "-c", script);
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	nonet_process_finish_input(process);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, test_deadline()), 0);
	end(process);
	nonet_filelock_close(lock);
}

/* Where SQLite locks: a pending byte, a reserved byte, and 510 that readers share (os.h of its source). */
#define SQLITE_PENDING  1073741824
#define SQLITE_RESERVED (SQLITE_PENDING + 1)
#define SQLITE_SHARED   (SQLITE_PENDING + 2)

/* That the process has a classic lock of the file, and how many wait by one of ours: the helper's. */
static void is_seen(const char *scheme, pid_t holder, int waiting)
{
	const struct nonet_inspect_holder *one;
	struct nonet_inspect_holders *holders = NULL;
	bool found = false;
	char address[160];

	snprintf(address, sizeof(address), "%s:%s", scheme, path);
	test_check_equal(nonet_inspect_holders(address, NULL, NONET_FOREVER, &holders, NULL), 0);
	for (size_t i = 0; (one = nonet_inspect_holders_get(holders, i)) != NULL; i++) {
		found |= one->pid == holder && !one->waits && one->scheme == NONET_SCHEME_POSIXLOCK &&
			 strcmp(one->name, "sqlite3") == 0;
		if (one->waits) {
			test_check_equal(one->pid, getpid());
			test_check(strcmp(nonet_scheme_name((enum nonet_scheme)one->scheme), scheme) == 0);
			waiting--;
		}
	}
	test_check(found);
	test_check_equal(waiting, 0);
	nonet_inspect_holders_free(holders);
}

/* Until the helper sleeps in its call: the kernel has no event for that. */
static void until_waiting(const char *scheme)
{
	const nonet_time deadline = test_deadline();
	struct nonet_inspect_holders *holders;
	char address[160];
	bool waiting = false;

	snprintf(address, sizeof(address), "%s:%s", scheme, path);
	while (!waiting) {
		size_t count;

		test_check(nonet_clock() < deadline);
		test_check_equal(nonet_inspect_holders(address, NULL, NONET_FOREVER, &holders, NULL), 0);
		count = nonet_inspect_holders_count(holders);
		waiting = count > 0 && nonet_inspect_holders_get(holders, count - 1)->waits &&
			  nonet_inspect_holders_get(holders, count - 1)->pid == getpid();
		nonet_inspect_holders_free(holders);
	}
}

static bool sqlite_can(const char *statement)
{
	return STATUS("sqlite3", path, statement) == 0;
}

static void sqlite_and_nonet_exclude_each_other(const char *scheme)
{
	struct nonet_filelock *lock;
	struct nonet_process *process;
	struct nonet_error error;
	char who[32];

	need("sqlite3");
	test_check(sqlite_can("CREATE TABLE t(x)"));
	lock = open_lock(scheme, NULL);
	assert_int_equal(nonet_filelock_set_range(lock, SQLITE_SHARED, 510), 0);
	/* As a reader: SQLite reads, and can't commit. */
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check(sqlite_can("SELECT * FROM t"));
	test_check(!sqlite_can("INSERT INTO t VALUES(1)"));
	/* As a writer. */
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check(!sqlite_can("SELECT * FROM t"));
	assert_int_equal(nonet_filelock_unlock(lock), 0);
	test_check(sqlite_can("INSERT INTO t VALUES(1)"));

	process = START("BEGIN IMMEDIATE;\nSELECT 'held';\n", "sqlite3", path);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	nonet_filelock_explain(lock, -EAGAIN, &error);
	snprintf(who, sizeof(who), "process %d has it", (int)nonet_process_pid(process));
	assert_non_null(strstr(error.text, who));
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	assert_int_equal(nonet_filelock_unlock(lock), 0);
	assert_int_equal(nonet_filelock_set_range(lock, SQLITE_RESERVED, 1), 0);
	is_seen(scheme, nonet_process_pid(process), 0);
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	assert_int_equal(nonet_filelock_arm(lock), 0);
	until_waiting(scheme);
	is_seen(scheme, nonet_process_pid(process), 1);
	end(process);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(lock);
	test_check(sqlite_can("INSERT INTO t VALUES(2)"));
}

static void sqlite_and_a_posixlock_exclude_each_other(void **state)
{
	(void)state;
	sqlite_and_nonet_exclude_each_other("posixlock");
}

static void sqlite_and_an_ofdlock_exclude_each_other(void **state)
{
	(void)state;
	sqlite_and_nonet_exclude_each_other("ofdlock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(flock_and_nonet_exclude_each_other, &with_file),
		test_case_with(sqlite_and_a_posixlock_exclude_each_other, &with_file),
		test_case_with(sqlite_and_an_ofdlock_exclude_each_other, &with_file),
	};

	return test_main(tests);
}
