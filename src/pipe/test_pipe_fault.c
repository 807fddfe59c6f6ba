/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/fault.h"
#include "pipe/test_pipe.h"

/* Every call of pipe.h that asks the kernel for something, with every one of its system calls failing in turn. */

enum {
	LARGE = 30000
};

struct world {
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *other_reader;
	struct nonet_pipe *other_writer;
	int file;
	int fds[2];
	size_t done;
	uint8_t buffer[LARGE];
};

static char path[100];

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	make_pipe(&world->reader, &world->writer);
	make_pipe(&world->other_reader, &world->other_writer);
	world->file = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	test_check(pwrite(world->file, world->buffer, LARGE, 0) == LARGE);
	test_must(pipe2(world->fds, O_CLOEXEC));
	*ret_state = world;
	return 0;
}

static int new_world_with_messages(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	test_check_equal(send_filled(world->writer, LARGE, 1, NONET_NOW), 0);
	test_check_equal(send_filled(world->writer, 100, 2, NONET_NOW), 0);
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	close_pair(world->reader, world->writer);
	close_pair(world->other_reader, world->other_writer);
	test_must(close(world->file));
	for (int i = 0; i < 2; i++)
		if (world->fds[i] >= 0)
			test_must(close(world->fds[i]));
	free(world);
}

/* Both ends of a FIFO, so that each open finds the other side. */
static int new_fifo(void **ret_state)
{
	const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	close_pair(world->reader, world->writer);
	test_check_equal(nonet_pipe_create(path, 0, NULL), 0);
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, soon(), &world->reader, NULL), 0);
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &world->writer, NULL), 0);
	return 0;
}

static void free_fifo(void *state)
{
	test_must(unlink(path));
	free_world(state);
}

struct ends {
	struct nonet_pipe *first;
	struct nonet_pipe *second;
};

static void close_ends(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	close_pair(ends->first, ends->second);
}

static void close_first(void *state, void *outputs)
{
	(void)state;
	nonet_pipe_close(((struct ends *)outputs)->first);
}

static const struct nonet_pipe_options sized = {.size = sizeof(sized), .capacity = 8192};

static int run_new(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	return nonet_pipe_new(&sized, &ends->first, &ends->second, NULL);
}

static int run_create(void *state, void *outputs)
{
	const mode_t before = umask(077);
	int error = nonet_pipe_create(path, 0666, NULL);

	(void)state;
	(void)outputs;
	umask(before);
	/* On failure there is nothing that would be in the way of another try. */
	test_check(error >= 0 || access(path, F_OK) < 0);
	return error;
}

static void release_fifo(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	test_must(unlink(path));
}

static int make_fifo(void **ret_state)
{
	(void)ret_state;
	return nonet_pipe_create(path, 0, NULL);
}

static void remove_fifo(void *state)
{
	(void)state;
	test_must(unlink(path));
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_pipe_unlink(path, NULL);
}

static int run_open_reader(void *state, void *outputs)
{
	(void)state;
	return nonet_pipe_open(path, NONET_PIPE_READER, &sized, soon(), &((struct ends *)outputs)->first, NULL);
}

static int run_open_writer(void *state, void *outputs)
{
	(void)state;
	return nonet_pipe_open(path, NONET_PIPE_WRITER, &sized, soon(), &((struct ends *)outputs)->first, NULL);
}

/* Nobody comes: the calls that wait. */
static int run_open_in_vain(void *state, void *outputs)
{
	int error = nonet_pipe_open(path, NONET_PIPE_READER, NULL, nonet_after(NONET_US(300)),
				    &((struct ends *)outputs)->first, NULL);

	(void)state;
	return error == -ETIMEDOUT ? 0 : error;
}

static int run_reopen_reader(void *state, void *outputs)
{
	(void)outputs;
	return nonet_pipe_reopen(((struct world *)state)->reader, soon());
}

static int run_reopen_writer(void *state, void *outputs)
{
	(void)outputs;
	return nonet_pipe_reopen(((struct world *)state)->writer, soon());
}

static int take(void *state, void *outputs, int end)
{
	struct world *world = state;
	const int number = world->fds[end];
	int error = nonet_pipe_take_fd(&world->fds[end], &sized, &((struct ends *)outputs)->first, NULL);

	test_check_equal(world->fds[end], error < 0 ? number : -1);
	return error;
}

static int run_take_reader(void *state, void *outputs)
{
	return take(state, outputs, 0);
}

static int run_take_writer(void *state, void *outputs)
{
	return take(state, outputs, 1);
}

static int run_send(void *state, void *outputs)
{
	(void)outputs;
	return nonet_pipe_send(((struct world *)state)->writer, "hello", 5, soon());
}

static int run_send_large(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	/* A lock that is never free is waited for until then. */
	return nonet_pipe_send(world->writer, world->buffer, 3 * 4096, nonet_after(NONET_MS(20)));
}

static int run_receive(void *state, void *outputs)
{
	struct world *world = state;
	int error = nonet_pipe_receive(world->reader, world->buffer, LARGE, soon(), outputs);

	if (error == 0)
		test_check(is_filled(world->buffer, LARGE, 1));
	return error;
}

static int run_message_size(void *state, void *outputs)
{
	return nonet_pipe_message_size(((struct world *)state)->reader, soon(), outputs);
}

static int run_read(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_pipe_read(world->reader, world->buffer, LARGE, soon(), outputs);
}

static int run_read_exactly(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_pipe_read_exactly(world->reader, world->buffer, 10000, soon(), &world->done);
}

static int run_write(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_pipe_write(world->writer, world->buffer, LARGE, soon(), &world->done);
}

static int run_capacity(void *state, void *outputs)
{
	return nonet_pipe_capacity(((struct world *)state)->reader, outputs);
}

static int run_set_capacity(void *state, void *outputs)
{
	(void)outputs;
	return nonet_pipe_set_capacity(((struct world *)state)->writer, 131072);
}

static int run_queued(void *state, void *outputs)
{
	return nonet_pipe_queued(((struct world *)state)->reader, outputs);
}

static int run_splice_from(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_pipe_splice_from(world->writer, world->file, LARGE, soon(), outputs);
}

static int run_splice_to(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_pipe_splice_to(world->reader, world->file, LARGE, soon(), outputs);
}

static int run_tee(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_pipe_tee(world->reader, world->other_writer, LARGE, soon(), outputs);
}

static int run_vmsplice(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_pipe_vmsplice(world->writer, world->buffer, LARGE, soon(), &world->done);
}

static const struct test_operation operations[] = {
	{.name = "pipe new", .run = run_new, .release = close_ends, .outputs_size = sizeof(struct ends)},
	{.name = "pipe create", .run = run_create, .release = release_fifo},
	{.name = "pipe unlink", .setup = make_fifo, .run = run_unlink},
	{.name = "pipe open reader",
	 .setup = new_fifo,
	 .run = run_open_reader,
	 .release = close_first,
	 .teardown = free_fifo,
	 .outputs_size = sizeof(void *),
	 .persistent = true},
	{.name = "pipe open writer",
	 .setup = new_fifo,
	 .run = run_open_writer,
	 .release = close_first,
	 .teardown = free_fifo,
	 .outputs_size = sizeof(void *),
	 .persistent = true},
	{.name = "pipe open in vain", .setup = make_fifo, .run = run_open_in_vain, .teardown = remove_fifo},
	{.name = "pipe reopen reader", .setup = new_fifo, .run = run_reopen_reader, .teardown = free_fifo},
	{.name = "pipe reopen writer", .setup = new_fifo, .run = run_reopen_writer, .teardown = free_fifo},
#define IN_WORLD(called, function, ...)                                                                          \
	{                                                                                                        \
		.name = "pipe " called, .setup = new_world, .run = function, .teardown = free_world, __VA_ARGS__ \
	}
#define WITH_MESSAGES(called, function)                                                                            \
	{                                                                                                          \
		.name = "pipe " called, .setup = new_world_with_messages, .run = function, .teardown = free_world, \
		.outputs_size = sizeof(size_t)                                                                     \
	}
	IN_WORLD("take reader", run_take_reader, .release = close_first, .outputs_size = sizeof(void *),
		 .persistent = true),
	IN_WORLD("take writer", run_take_writer, .release = close_first, .outputs_size = sizeof(void *),
		 .persistent = true),
	IN_WORLD("send", run_send, .persistent = true),
	IN_WORLD("send large", run_send_large, .persistent = true),
	{.name = "pipe send large to a FIFO",
	 .setup = new_fifo,
	 .run = run_send_large,
	 .teardown = free_fifo,
	 .persistent = true},
	IN_WORLD("write", run_write, .persistent = true),
	IN_WORLD("set capacity", run_set_capacity),
	IN_WORLD("splice from", run_splice_from, .outputs_size = sizeof(size_t)),
	IN_WORLD("vmsplice", run_vmsplice),
	WITH_MESSAGES("receive", run_receive),
	WITH_MESSAGES("message size", run_message_size),
	WITH_MESSAGES("read", run_read),
	WITH_MESSAGES("read exactly", run_read_exactly),
	WITH_MESSAGES("capacity", run_capacity),
	WITH_MESSAGES("queued", run_queued),
	WITH_MESSAGES("splice to", run_splice_to),
	WITH_MESSAGES("tee", run_tee),
};

static void no_failure_of_the_kernel_breaks_a_call(void **state)
{
	struct test_sweep total = {0};
	struct test_sweep sweep;
	const char *made = test_directory_new();

	(void)state;
	snprintf(path, sizeof(path), "%s/fifo", made);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		test_fault_sweep_count(&operations[i], &sweep);
		total.injections += sweep.injections;
		total.fired += sweep.fired;
		total.absorbed += sweep.absorbed;
	}
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
	test_directory_free(made);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
	};

	return test_main(tests);
}
