/* SPDX-License-Identifier: Apache-2.0 */
#include "partner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum partner_order {
	ORDER_LINE,
	ORDER_LATENCY,
	ORDER_THROUGHPUT,
};

struct partner_command {
	enum partner_order order;
	enum bench_way_index way;
	size_t count;
};

nonet_time partner_deadline(void)
{
	return nonet_after(NONET_S(20));
}

int partner_buffers(size_t size, void **ret_message, void **ret_buffer)
{
	size_t room = (size + 4096) & ~(size_t)4095;

	*ret_message = aligned_alloc(4096, room);
	*ret_buffer = aligned_alloc(4096, room);
	if (!*ret_message || !*ret_buffer)
		return -ENOMEM;
	memset(*ret_message, 'n', room);
	memset(*ret_buffer, 0, room);
	return 0;
}

static int partner_obey(struct partner *partner, const struct partner_command *command)
{
	const struct bench_way *way = partner->item->ways[command->way];
	void *end = partner->ends[command->way];
	nonet_time deadline = partner_deadline();
	int error = 0;

	switch (command->order) {
	case ORDER_LINE:
		line_answer(partner->line);
		break;
	case ORDER_LATENCY:
		for (size_t i = 0; i < command->count && !error; i++) {
			error = way->take(end, partner->buffer, partner->size, deadline);
			if (!error)
				error = way->put(end, partner->message, partner->size, deadline);
		}
		break;
	case ORDER_THROUGHPUT:
		for (size_t i = 0; i < command->count && !error; i++)
			error = way->take(end, partner->buffer, partner->size, deadline);
		break;
	}
	return error;
}

static _Noreturn void partner_serve(struct partner *partner, int cpu)
{
	struct partner_command command;
	int error = bench_pin(cpu);

	while (!error && read(partner->control, &command, sizeof(command)) == sizeof(command)) {
		error = partner_obey(partner, &command);
		if (write(partner->control, &error, sizeof(error)) != sizeof(error))
			break;
	}
	_exit(error != 0);
}

int partner_start(struct partner *partner, const struct bench_case *item, size_t size, void *a[WAYS], void *b[WAYS],
		  int cpu)
{
	pid_t parent = getpid();
	int control[2];
	int error;

	*partner = (struct partner){.control = -1, .item = item, .size = size};
	error = partner_buffers(size, &partner->message, &partner->buffer);
	if (error < 0)
		return error;
	partner->line = mmap(NULL, sizeof(*partner->line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (partner->line == MAP_FAILED) {
		partner->line = NULL;
		return -errno;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		return -errno;
	fflush(NULL);
	partner->pid = fork();
	if (partner->pid < 0) {
		error = -errno;
		close(control[0]);
		close(control[1]);
		return error;
	}
	if (partner->pid == 0) {
		/* It must not outlive us in a call that waits for ever. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(control[0]);
		partner->control = control[1];
		for (int way = 0; way < WAYS; way++)
			item->ways[way]->close(a[way]);
		partner->ends = b;
		partner_serve(partner, cpu);
	}
	close(control[1]);
	partner->control = control[0];
	for (int way = 0; way < WAYS; way++) {
		item->ways[way]->close(b[way]);
		b[way] = NULL;
	}
	partner->ends = a;
	return 0;
}

void partner_stop(struct partner *partner)
{
	if (partner->control >= 0)
		close(partner->control);
	if (partner->pid > 0) {
		/* It may sit in a call of the naked way. */
		kill(partner->pid, SIGKILL);
		waitpid(partner->pid, NULL, 0);
	}
	if (partner->line)
		munmap(partner->line, sizeof(*partner->line));
	free(partner->message);
	free(partner->buffer);
	*partner = (struct partner){.control = -1};
}

static int partner_order(struct partner *partner, enum partner_order order, enum bench_way_index way, size_t count)
{
	struct partner_command command = {.order = order, .way = way, .count = count};

	return write(partner->control, &command, sizeof(command)) == sizeof(command) ? 0 : -EPIPE;
}

static int partner_wait(struct partner *partner)
{
	int error;

	return read(partner->control, &error, sizeof(error)) == sizeof(error) ? error : -EPIPE;
}

int partner_line(struct partner *partner, double *ret_hand_over)
{
	int error = partner_order(partner, ORDER_LINE, WAY_BARE, 0);

	if (error < 0)
		return error;
	*ret_hand_over = line_ask(partner->line);
	return partner_wait(partner);
}

int partner_latency(struct partner *partner, enum bench_way_index index, size_t count, double *samples)
{
	const struct bench_way *way = partner->item->ways[index];
	void *end = partner->ends[index];
	nonet_time deadline = partner_deadline();
	int error = partner_order(partner, ORDER_LATENCY, index, count);
	nonet_time before;

	if (error < 0)
		return error;
	before = nonet_clock();
	for (size_t i = 0; i < count; i++) {
		nonet_time now;

		error = way->put(end, partner->message, partner->size, deadline);
		if (!error)
			error = way->take(end, partner->buffer, partner->size, deadline);
		if (error < 0)
			return error;
		now = nonet_clock();
		samples[i] = (double)(now - before) / 2;
		before = now;
	}
	return partner_wait(partner);
}

int partner_throughput(struct partner *partner, enum bench_way_index index, size_t count, double *ret_each)
{
	const struct bench_way *way = partner->item->ways[index];
	void *end = partner->ends[index];
	nonet_time deadline = partner_deadline();
	nonet_time start = nonet_clock();
	int error = partner_order(partner, ORDER_THROUGHPUT, index, count);

	for (size_t i = 0; i < count && !error; i++)
		error = way->put(end, partner->message, partner->size, deadline);
	if (!error)
		error = partner_wait(partner);
	if (error < 0)
		return error;
	*ret_each = (double)(nonet_clock() - start) / (double)count;
	return 0;
}
