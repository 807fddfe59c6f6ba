/* SPDX-License-Identifier: Apache-2.0 */
/* Memory without a name: handed over a UNIX socket, looked at before it is trusted, sealed. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

#define LENGTH 10000

static struct nonet_memory *new_memory(void)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .length = LENGTH};
	struct nonet_memory *memory;

	test_check_equal(nonet_memory_new(&options, &memory, NULL), 0);
	return memory;
}

/* What a peer makes of the descriptor. */
static int take(int from, uint32_t flags, uint32_t seals, uint64_t length, struct nonet_memory **ret_memory,
		struct nonet_error *reterr)
{
	const struct nonet_memory_options options = {
		.size = sizeof(options), .flags = flags, .seals = seals, .length = length};
	int fd = (int)test_must(dup(from));
	int error = nonet_memory_take_fd(&fd, &options, ret_memory, reterr);

	test_check_equal(fd == -1, error == 0);
	if (fd >= 0)
		close(fd);
	return error;
}

static int read_what_comes(struct test_child_side *side, void *argument)
{
	int fd = -1;
	struct nonet_unix_ancillary with = {.size = sizeof(with), .descriptors_capacity = 1, .descriptors = &fd};
	const struct nonet_memory_options options = {.size = sizeof(options),
						     .flags = NONET_MEMORY_READ_ONLY,
						     .length = LENGTH,
						     .seals = NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_WRITERS};
	struct nonet_memory *memory;
	char text[16];
	size_t size;

	(void)side;
	test_check_equal(nonet_unix_receive_with(argument, text, sizeof(text), &with, test_deadline(), &size), 0);
	test_check_equal(nonet_memory_take_fd(&fd, &options, &memory, NULL), 0);
	test_check_equal(fd, -1);
	test_check_equal(strcmp(nonet_memory_base(memory), "one writer"), 0);
	/* The writer goes on. */
	test_check_equal(nonet_unix_send(argument, "more", 4, test_deadline()), 0);
	test_check_equal(nonet_unix_receive(argument, text, sizeof(text), test_deadline(), &size), 0);
	test_check_equal(strcmp(nonet_memory_base(memory), "and goes on"), 0);
	nonet_memory_close(memory);
	return 0;
}

static void one_writes_and_a_peer_reads(void **state)
{
	struct nonet_memory *memory = new_memory();
	struct nonet_unix *ours;
	struct nonet_unix *theirs;
	struct test_child *child;
	char text[16];
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(nonet_unix_pair(NONET_UNIX_SEQPACKET, NULL, &ours, &theirs, NULL), 0);
	child = test_child_start(read_what_comes, theirs);
	strcpy(nonet_memory_base(memory), "one writer");
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_WRITERS), 0);
	fd = nonet_memory_descriptor(memory);
	assert_int_equal(nonet_unix_send_descriptors(ours, "memory", 6, &fd, 1, test_deadline()), 0);
	assert_int_equal(nonet_unix_receive(ours, text, sizeof(text), test_deadline(), &size), 0);
	strcpy(nonet_memory_base(memory), "and goes on");
	assert_int_equal(nonet_unix_send(ours, "done", 4, test_deadline()), 0);
	assert_int_equal(test_child_join(child), 0);
	nonet_unix_close(ours);
	nonet_unix_close(theirs);
	nonet_memory_close(memory);
}

static void what_is_received_is_looked_at(void **state)
{
	struct nonet_memory *memory = new_memory();
	struct nonet_memory *taken = NULL;
	struct nonet_error error;
	int fd = nonet_memory_descriptor(memory);
	char link[40];
	int other;

	(void)state;
	assert_int_equal(take(fd, 0, NONET_MEMORY_SEAL_SIZE, 0, &taken, &error), -EPERM);
	assert_non_null(strstr(error.text, "hasn't the seals"));
	assert_int_equal(take(fd, 0, 0, LENGTH + 1, &taken, &error), -ERANGE);
	other = -1;
	assert_int_equal(nonet_memory_take_fd(&other, NULL, &taken, &error), -EBADF);
	other = (int)test_must(open("/dev/null", O_RDWR | O_CLOEXEC));
	assert_int_equal(take(other, 0, 0, 0, &taken, &error), -ENOTSUP);
	close(other);
	other = (int)test_must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	assert_int_equal(take(other, NONET_MEMORY_READ_ONLY, 0, 0, &taken, &error), -ENOTSUP);
	close(other);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	other = (int)test_must(open(link, O_PATH | O_CLOEXEC));
	assert_int_equal(take(other, 0, 0, 0, &taken, &error), -ENOTSUP);
	close(other);
	other = (int)test_must(memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	assert_int_equal(take(other, 0, 0, 0, &taken, &error), -ENODATA);
	close(other);
	assert_null(taken);
	nonet_memory_close(memory);
}

static void what_is_sealed_stays(void **state)
{
	struct nonet_memory *memory = new_memory();
	struct nonet_memory *taken = NULL;
	struct nonet_memory_info info;
	struct nonet_error error;
	int fd = nonet_memory_descriptor(memory);

	(void)state;
	strcpy(nonet_memory_base(memory), "for good");
	assert_int_equal(nonet_memory_seal(memory, 0), -EINVAL);
	assert_int_equal(nonet_memory_seal(memory, 0x100), -EINVAL);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_SIZE), 0);
	assert_int_equal(nonet_memory_grow(memory, 2 * LENGTH), -EPERM);
	nonet_memory_explain(memory, -EPERM, &error);
	assert_non_null(strstr(error.text, "sealed"));
	assert_int_equal(ftruncate(fd, 0), -1);
	/* Somebody else can still write. */
	assert_int_equal(take(fd, 0, 0, 0, &taken, NULL), 0);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_CONTENT), -EBUSY);
	strcpy(nonet_memory_base(memory), "still ours");
	assert_string_equal(nonet_memory_base(taken), "still ours");
	nonet_memory_close(taken);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_CONTENT | NONET_MEMORY_SEAL_SEALS), 0);
	assert_string_equal(nonet_memory_base(memory), "still ours");
	assert_int_equal(nonet_memory_info(memory, &info), 0);
	assert_int_equal(info.seals, NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_CONTENT | NONET_MEMORY_SEAL_SEALS);
	assert_int_equal(info.flags, NONET_MEMORY_IS_SEALED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_WRITERS), -EPERM);
	assert_int_equal(take(fd, 0, 0, 0, &taken, &error), -EACCES);
	assert_non_null(strstr(error.text, "READ_ONLY"));
	/* Nobody can write at all: more than was asked for. */
	assert_int_equal(take(fd, NONET_MEMORY_READ_ONLY, NONET_MEMORY_SEAL_WRITERS, 0, &taken, NULL), 0);
	assert_string_equal(nonet_memory_base(taken), "still ours");
	nonet_memory_close(taken);
	nonet_memory_close(memory);
}

static void a_named_object_cant_be_sealed(void **state)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .length = LENGTH};
	struct nonet_memory *memory;
	struct nonet_error error;
	char address[100];

	(void)state;
	snprintf(address, sizeof(address), "posixshm:/%s", test_name("seal"));
	assert_int_equal(nonet_memory_create(address, &options, &memory, NULL), 0);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_SIZE), -EOPNOTSUPP);
	nonet_memory_explain(memory, -EOPNOTSUPP, &error);
	assert_non_null(strstr(error.text, "nonet_memory_new()"));
	assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	nonet_memory_close(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_writes_and_a_peer_reads),
		test_case(what_is_received_is_looked_at),
		test_case(what_is_sealed_stays),
		test_case(a_named_object_cant_be_sealed),
	};

	return test_main(tests);
}
