/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of semaphores, the kernel's and the C library's. None of nonet's own code is called. */
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/test.h"

static int set_new(int count)
{
	return (int)test_must(semget(test_sysv_key(), count, IPC_CREAT | IPC_EXCL | 0600));
}

static void set_remove(int id)
{
	test_must(semctl(id, 0, IPC_RMID));
}

static void set_all(int id, unsigned short value)
{
	unsigned short values[2] = {value, value};

	test_must(semctl(id, 0, SETALL, values));
}

static time_t operated(int id)
{
	struct semid_ds status;

	test_must(semctl(id, 0, IPC_STAT, &status));
	return status.sem_otime;
}

/* By these marks who opens a set knows whether it has its values. */
static void a_new_set_has_no_process_and_a_given_value_leaves_one(void **state)
{
	struct sembuf zero = {.sem_num = 0, .sem_op = 0};
	int id = set_new(2);

	(void)state;
	test_check_equal(semctl(id, 0, GETPID), 0);
	test_check_equal(semctl(id, 1, GETPID), 0);
	test_check_equal(operated(id), 0);
	test_must(semctl(id, 1, SETVAL, 0));
	test_check_equal(semctl(id, 0, GETPID), 0);
	test_check_equal(semctl(id, 1, GETPID), getpid());
	set_all(id, 0);
	test_check_equal(semctl(id, 0, GETPID), getpid());
	test_check_equal(operated(id), 0);
	test_must(semop(id, &zero, 1));
	test_check(operated(id) != 0);
	set_remove(id);
}

static int give_value(struct test_child_side *side, void *id)
{
	(void)side;
	set_all(*(int *)id, 1);
	return 0;
}

static void the_process_is_told_after_its_death(void **state)
{
	int id = set_new(2);
	struct test_child *child = test_child_start(give_value, &id);
	const pid_t pid = test_child_pid(child);

	(void)state;
	test_check_equal(test_child_join(child), 0);
	test_check_equal(semctl(id, 0, GETPID), pid);
	set_remove(id);
}

static void the_mode_of_a_set_is_exact(void **state)
{
	const mode_t before = umask(077);
	struct semid_ds status;
	int id = (int)test_must(semget(test_sysv_key(), 1, IPC_CREAT | IPC_EXCL | 0666));

	(void)state;
	umask(before);
	test_must(semctl(id, 0, IPC_STAT, &status));
	test_check_equal(status.sem_perm.mode & 0777, 0666);
	set_remove(id);
}

/* A removed set: EINVAL once its slot is known to be free, EIDRM to who waits. */
static void a_removed_set_is_einval_or_eidrm(void **state)
{
	struct sembuf take = {.sem_op = -1};
	int id = set_new(2);

	(void)state;
	set_remove(id);
	test_check(semop(id, &take, 1) < 0 && (errno == EINVAL || errno == EIDRM));
	test_check(semctl(id, 0, GETVAL) < 0 && (errno == EINVAL || errno == EIDRM));
}

static void an_operation_over_32767_changes_nothing(void **state)
{
	struct sembuf give = {.sem_op = 2};
	int id = set_new(2);

	(void)state;
	set_all(id, 32766);
	test_check(semop(id, &give, 1) < 0);
	test_check_equal(errno, ERANGE);
	test_check_equal(semctl(id, 0, GETVAL), 32766);
	set_remove(id);
}

static int wait_in_vain(struct test_child_side *side, void *id)
{
	const struct sembuf look[] = {{.sem_op = -1}, {.sem_op = 1}};

	test_report(side, "ready");
	test_must(semop(*(int *)id, (struct sembuf *)look, 2));
	test_report(side, "seen");
	return 0;
}

static int wait_to_take(struct test_child_side *side, void *id)
{
	struct sembuf take = {.sem_op = -1};

	test_report(side, "ready");
	test_must(semop(*(int *)id, &take, 1));
	test_report(side, "taken");
	return 0;
}

/* Taking one and giving it back in one operation: it sees a permit, and leaves it to the one behind it. */
static void who_takes_and_gives_at_once_waits_and_takes_nothing(void **state)
{
	int id = set_new(2);
	struct test_child *first;
	struct test_child *second;

	(void)state;
	first = test_child_until(wait_in_vain, &id);
	test_child_wait_blocked(first);
	second = test_child_until(wait_to_take, &id);
	test_child_wait_blocked(second);
	test_check_equal(semctl(id, 0, GETNCNT), 2);
	test_must(semop(id, &(struct sembuf){.sem_op = 1}, 1));
	test_child_wait_state(first, "seen");
	test_child_wait_state(second, "taken");
	test_check_equal(test_child_join(first), 0);
	test_check_equal(test_child_join(second), 0);
	test_check_equal(semctl(id, 0, GETVAL), 0);
	set_remove(id);
}

static int take_and_execute(struct test_child_side *side, void *id)
{
	struct sembuf take = {.sem_op = -1, .sem_flg = SEM_UNDO};

	test_must(semop(*(int *)id, &take, 1));
	test_report(side, "ready");
	test_must(execlp("sleep", "sleep", "1000", (char *)NULL));
	return 1;
}

/* nonet lock is the command that it runs. */
static void what_is_to_be_undone_outlives_execve(void **state)
{
	char name[32] = "";
	char path[64];
	struct test_child *child;
	int id = set_new(2);

	(void)state;
	set_all(id, 1);
	child = test_child_until(take_and_execute, &id);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)test_child_pid(child));
	for (const nonet_time until = test_deadline(); strcmp(name, "sleep\n") != 0;) {
		FILE *file = fopen(path, "re");

		test_check(file && test_clock() < until);
		test_check(fgets(name, sizeof(name), file) != NULL);
		fclose(file);
	}
	test_child_wait_blocked(child);
	test_check_equal(semctl(id, 0, GETVAL), 0);
	test_kill(child);
	test_check_equal(semctl(id, 0, GETVAL), 1);
	set_remove(id);
}

/* What sem_open(3) makes is what sem_init(3) makes in shared memory, in the file that sem_overview(7) names. */
static void sem_open_makes_what_sem_init_does(void **state)
{
	const char *name = test_name("kernel");
	unsigned char made[sizeof(sem_t)];
	union {
		sem_t semaphore;
		unsigned char bytes[sizeof(sem_t)];
	} ours;
	char path[200];
	sem_t *semaphore;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/%s", name);
	semaphore = sem_open(path, O_CREAT | O_EXCL, 0600, 5);
	test_check(semaphore != SEM_FAILED);
	sem_close(semaphore);
	snprintf(path, sizeof(path), "/dev/shm/sem.%s", name);
	fd = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));
	test_check_equal(read(fd, made, sizeof(made)), sizeof(made));
	close(fd);
	memset(&ours, 0, sizeof(ours));
	test_must(sem_init(&ours.semaphore, 1, 5));
	test_check(memcmp(made, ours.bytes, sizeof(made)) == 0);
	test_must(unlink(path));
}

struct shared {
	sem_t semaphore;
};

static int wait_plainly(struct test_child_side *side, void *shared)
{
	test_report(side, "ready");
	test_must(sem_wait(&((struct shared *)shared)->semaphore));
	return 0;
}

/* The same, only while nobody else wants the processor, which is the parent's. */
static int wait_idly(struct test_child_side *side, void *shared)
{
	test_must(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}));
	return wait_plainly(side, shared);
}

/* Post and kill the first waiter before it has run. Return: whether the second sleeps on beside a permit. */
static bool lose_a_wake(struct shared *shared)
{
	struct test_child *first = test_child_until(wait_idly, shared);
	struct test_child *second;
	bool lost;
	int value;

	test_child_wait_blocked(first);
	second = test_child_until(wait_plainly, shared);
	test_child_wait_blocked(second);
	test_must(sem_post(&shared->semaphore));
	kill(test_child_pid(first), SIGKILL);
	(void)test_kill_if_running(first);
	test_must(sem_getvalue(&shared->semaphore, &value));
	lost = value == 1;
	if (lost)
		test_child_wait_blocked(second);
	(void)test_kill_if_running(second);
	return lost;
}

/* Why our own waiters look again every 100 ms. */
static void a_waiter_that_is_killed_keeps_the_wake_of_another(void **state)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t before;
	cpu_set_t one;
	int tries = 0;

	(void)state;
	test_check(shared != MAP_FAILED);
	test_must(sched_getaffinity(0, sizeof(before), &before));
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	test_must(sched_setaffinity(0, sizeof(one), &one));
	do {
		test_must(sem_init(&shared->semaphore, 1, 0));
		test_check(tries++ < 1000);
	} while (!lose_a_wake(shared));
	test_must(sched_setaffinity(0, sizeof(before), &before));
	test_note("lost at try %d", tries);
	munmap(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_new_set_has_no_process_and_a_given_value_leaves_one),
		test_case(the_process_is_told_after_its_death),
		test_case(the_mode_of_a_set_is_exact),
		test_case(a_removed_set_is_einval_or_eidrm),
		test_case(an_operation_over_32767_changes_nothing),
		test_case(who_takes_and_gives_at_once_waits_and_takes_nothing),
		test_case(what_is_to_be_undone_outlives_execve),
		test_case(sem_open_makes_what_sem_init_does),
		test_case(a_waiter_that_is_killed_keeps_the_wake_of_another),
	};

	return test_main(tests);
}
