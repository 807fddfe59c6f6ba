/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue.h"

#include <errno.h>

#include "base/error.h"
#include "sys/memory.h"

#define QUEUE_PRIORITIES 32768 /* MQ_PRIO_MAX in the kernel */

static const struct nonet_queue_label default_label = {.size = sizeof(default_label)};
static const struct nonet_queue_select first = {.size = sizeof(first)};

static int queue_check_label(const struct nonet_queue_label *label)
{
	if (label->size != sizeof(*label) || label->reserved)
		return -EINVAL;
	return label->priority >= QUEUE_PRIORITIES || label->type < 0 ? -EINVAL : 0;
}

static int queue_check_select(const struct nonet_queue_select *select)
{
	const bool typed = select->which >= NONET_QUEUE_TYPE;

	if (select->size != sizeof(*select) || select->reserved || select->which > NONET_QUEUE_EXCEPT)
		return -EINVAL;
	return typed ? (select->type > 0 ? 0 : -EINVAL) : (select->type == 0 ? 0 : -EINVAL);
}

static int queue_check_options(const struct nonet_queue_options *options, bool create, struct nonet_error *reterr)
{
	const uint32_t known = NONET_QUEUE_SEND | NONET_QUEUE_RECEIVE | (create ? NONET_QUEUE_REUSE : 0);

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the queue options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~known || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the queue options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a queue has more than permission bits",
				 options->mode);
	if (!create && (options->mode || options->depth || options->message_size))
		return error_set(reterr, -EINVAL,
				 "mode, depth and message_size of a queue are set where it is made, and can't be asked "
				 "for where it is opened");
	if (options->ready && queue_check_select(options->ready) < 0)
		return error_set(reterr, -EINVAL,
				 "which messages make the queue's descriptor ready isn't said as nonet/queue.h asks");
	return 0;
}

static int queue_open_carrier(struct nonet_queue *queue, const struct nonet_queue_options *options, bool create,
			      struct nonet_error *reterr)
{
	const enum nonet_scheme scheme = nonet_address_scheme(queue->address);

	switch (scheme) {
	case NONET_SCHEME_POSIXMQ:
		return create ? queue_posix_create(queue, options, reterr) : queue_posix_open(queue, options, reterr);
	case NONET_SCHEME_SYSVMSG:
		return create ? queue_sysv_create(queue, options, reterr) : queue_sysv_open(queue, options, reterr);
	case NONET_SCHEME_QUEUE:
		return error_set(reterr, -EOPNOTSUPP,
				 "this version of nonet has no queues of its own yet; posixmq: and sysvmsg: are there");
	default:
		return error_set(reterr, -EOPNOTSUPP,
				 "%s: names something that isn't a queue; posixmq: and sysvmsg: do",
				 nonet_scheme_name(scheme));
	}
}

static int queue_new(const char *address, const struct nonet_queue_options *options, bool create,
		     struct nonet_queue **ret_queue, struct nonet_error *reterr)
{
	struct nonet_queue_options given = options ? *options : (struct nonet_queue_options){.size = sizeof(given)};
	/* Steps on the way may fail and say so, although the call then succeeds: one that is there already... */
	struct nonet_error why = {.position = -1};
	struct nonet_queue *queue;
	int error = queue_check_options(&given, create, reterr);

	if (error < 0)
		return error;
	if (!(given.flags & (NONET_QUEUE_SEND | NONET_QUEUE_RECEIVE)))
		given.flags |= NONET_QUEUE_SEND | NONET_QUEUE_RECEIVE;
	if (given.mode == 0)
		given.mode = 0600;
	queue = sys_allocate(sizeof(*queue));
	if (!queue)
		return error_set(reterr, -ENOMEM, "no memory for a queue's handle");
	queue->flags = given.flags & (NONET_QUEUE_SEND | NONET_QUEUE_RECEIVE);
	queue->ready = given.ready ? *given.ready : first;
	error = nonet_address_parse(address, &queue->address, &why);
	if (error == 0)
		error = queue_open_carrier(queue, &given, create, &why);
	if (error < 0) {
		if (reterr)
			*reterr = why;
		nonet_address_free(queue->address);
		sys_free(queue);
		return error;
	}
	*ret_queue = queue;
	return 0;
}

int nonet_queue_create(const char *address, const struct nonet_queue_options *options, struct nonet_queue **ret_queue,
		       struct nonet_error *reterr)
{
	return queue_new(address, options, true, ret_queue, reterr);
}

int nonet_queue_open(const char *address, const struct nonet_queue_options *options, struct nonet_queue **ret_queue,
		     struct nonet_error *reterr)
{
	return queue_new(address, options, false, ret_queue, reterr);
}

struct nonet_queue *nonet_queue_close(struct nonet_queue *queue)
{
	if (!queue)
		return NULL;
	waitable_done(&queue->waitable);
	queue->carrier->close(queue);
	nonet_address_free(queue->address);
	return sys_free(queue);
}

int nonet_queue_unlink(const char *address, struct nonet_error *reterr)
{
	struct nonet_address *parsed;
	int error = nonet_address_parse(address, &parsed, reterr);

	if (error < 0)
		return error;
	switch (nonet_address_scheme(parsed)) {
	case NONET_SCHEME_POSIXMQ:
		error = queue_posix_unlink(parsed, reterr);
		break;
	case NONET_SCHEME_SYSVMSG:
		error = queue_sysv_unlink(parsed, reterr);
		break;
	default:
		error = error_set(reterr, -EOPNOTSUPP, "%s: names nothing that can be removed as a queue",
				  nonet_scheme_name(nonet_address_scheme(parsed)));
		break;
	}
	nonet_address_free(parsed);
	return error;
}

/* Two carriers, and calls that show in a measurement: each is called directly, see stream/hot.h. */
#define QUEUE_CALL(queue, name, ...)                                                             \
	((queue)->carrier == &queue_posix_carrier ? queue_posix_carrier.name(queue, __VA_ARGS__) \
						  : queue_sysv_carrier.name(queue, __VA_ARGS__))

int nonet_queue_send(struct nonet_queue *queue, const void *message, size_t size, const struct nonet_queue_label *label,
		     nonet_time deadline)
{
	int error = label ? queue_check_label(label) : 0;

	if (!(queue->flags & NONET_QUEUE_SEND))
		return -EBADF;
	if (error < 0)
		return error;
	return QUEUE_CALL(queue, send, message, size, label ? label : &default_label, deadline);
}

static int queue_check_receive(const struct nonet_queue *queue, const struct nonet_queue_select *select)
{
	if (!(queue->flags & NONET_QUEUE_RECEIVE))
		return -EBADF;
	return select ? queue_check_select(select) : 0;
}

int nonet_queue_receive(struct nonet_queue *queue, void *buffer, size_t capacity,
			const struct nonet_queue_select *select, nonet_time deadline,
			struct nonet_queue_message *ret_message)
{
	int error = queue_check_receive(queue, select);

	if (error < 0)
		return error;
	return QUEUE_CALL(queue, receive, buffer, capacity, select ? select : &first, deadline, ret_message);
}

int nonet_queue_message_size(struct nonet_queue *queue, const struct nonet_queue_select *select, nonet_time deadline,
			     size_t *ret_size)
{
	int error = queue_check_receive(queue, select);

	if (error < 0)
		return error;
	return queue->carrier->message_size(queue, select ? select : &first, deadline, ret_size);
}

int nonet_queue_peek(struct nonet_queue *queue, uint64_t index, void *buffer, size_t capacity,
		     struct nonet_queue_message *ret_message)
{
	int error = queue_check_receive(queue, NULL);

	return error < 0 ? error : queue->carrier->peek(queue, index, buffer, capacity, ret_message);
}

int nonet_queue_drain(struct nonet_queue *queue, uint64_t *ret_count)
{
	int error = queue_check_receive(queue, NULL);

	return error < 0 ? error : queue->carrier->drain(queue, ret_count);
}

int nonet_queue_status(struct nonet_queue *queue, struct nonet_queue_status *ret_status)
{
	return queue->carrier->status(queue, ret_status);
}

int nonet_queue_notify(struct nonet_queue *queue, int number, int value)
{
	return queue->carrier->notify(queue, number, value);
}

int nonet_queue_fd(struct nonet_queue *queue)
{
	return queue->carrier->descriptor(queue);
}

struct nonet_waitable *nonet_queue_waitable(struct nonet_queue *queue)
{
	/* Without one it holds why, and nonet_wait_set_add() says so. */
	(void)queue->carrier->descriptor(queue);
	return &queue->waitable;
}

int nonet_queue_arm(struct nonet_queue *queue)
{
	int fd = queue->carrier->descriptor(queue);

	return fd < 0 ? fd : waitable_arm(&queue->waitable);
}

const char *nonet_queue_address(struct nonet_queue *queue)
{
	return nonet_address_text(queue->address);
}
