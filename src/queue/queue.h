/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <nonet/address.h>
#include <nonet/queue.h>

#include "waitable/waitable.h"

/*
 * What a carrier has to offer. Direction, structs and their sizes were looked at before; @label and @select are never
 * NULL. What it can't do is -EOPNOTSUPP.
 */
struct queue_carrier {
	int (*send)(struct nonet_queue *queue, const void *message, size_t size, const struct nonet_queue_label *label,
		    nonet_time deadline);
	int (*receive)(struct nonet_queue *queue, void *buffer, size_t capacity,
		       const struct nonet_queue_select *select, nonet_time deadline,
		       struct nonet_queue_message *ret_message);
	int (*message_size)(struct nonet_queue *queue, const struct nonet_queue_select *select, nonet_time deadline,
			    size_t *ret_size);
	int (*peek)(struct nonet_queue *queue, uint64_t index, void *buffer, size_t capacity,
		    struct nonet_queue_message *ret_message);
	int (*drain)(struct nonet_queue *queue, uint64_t *ret_count);
	int (*status)(struct nonet_queue *queue, struct nonet_queue_status *ret_status);
	int (*notify)(struct nonet_queue *queue, int number, int value);
	/* The descriptor, made now if it hasn't been needed yet; or -errno. Sets @queue->waitable.fd to it. */
	int (*descriptor)(struct nonet_queue *queue);
	void (*close)(struct nonet_queue *queue);
};

/* A message that was taken for a buffer too small. */
struct queue_hand {
	struct queue_hand *next;
	unsigned generation; /* of the process that took it: a forked child has a copy, which isn't its own */
	unsigned priority;
	size_t size;
	uint8_t bytes[];
};

struct queue_posix {
	int fd;
	/* Taken out as a whole by who looks at it, and put back: no lock, which a fork could leave taken. */
	_Atomic(struct queue_hand *) hand;
};

struct sysv_call;
struct watcher;

struct queue_sysv {
	int id;
	unsigned generation; /* of the process that opened it: what is below is that one's */
	/* A helper that is free to make calls that wait; see queue_sysv_call.c. */
	_Atomic(struct sysv_call *) call;
	pthread_mutex_t mutex; /* held while the watcher is made, armed, and asked for what it holds */
	_Atomic(struct watcher *) watcher;
	long taken; /* by the watcher's helper: the type of an empty message */
	long hand;  /* the type of an empty message that couldn't be put back; 0: none. Under the mutex */
};

struct nonet_queue {
	struct nonet_waitable waitable;
	const struct queue_carrier *carrier;
	struct nonet_address *address;
	uint32_t flags; /* NONET_QUEUE_SEND, RECEIVE */
	struct nonet_queue_select ready;
	uint64_t message_size; /* of the largest message, as far as is known */
	union {
		struct queue_posix posix;
		struct queue_sysv sysv;
	} with;
};

/*
 * Open what @queue->address says; set carrier, with, message_size and the waitable. @options were looked at, and
 * @options->flags have a direction.
 */
int queue_posix_create(struct nonet_queue *queue, const struct nonet_queue_options *options,
		       struct nonet_error *reterr);
int queue_posix_open(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr);
int queue_sysv_create(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr);
int queue_sysv_open(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr);

int queue_posix_unlink(const struct nonet_address *address, struct nonet_error *reterr);
int queue_sysv_unlink(const struct nonet_address *address, struct nonet_error *reterr);

int queue_posix_arm(struct nonet_waitable *waitable);

extern const struct queue_carrier queue_posix_carrier;
extern const struct queue_carrier queue_sysv_carrier;

/* @select as msgrcv(2) has it: the type, and SYS_SYSV_QUEUE_EXCEPT or 0; -EOPNOTSUPP. */
int queue_sysv_selection(const struct nonet_queue_select *select, long *ret_type, unsigned *ret_flags);

/*
 * Receive, or send, by a helper until @deadline, which isn't NONET_NOW nor NONET_FOREVER: msgrcv(2) and msgsnd(2) have
 * no timeout. @message as in sys/sysv_queue.h.
 *
 * Return: as sys_sysv_queue_receive() and sys_sysv_queue_send(), or -ETIMEDOUT; then nothing was received or sent.
 */
ssize_t queue_sysv_receive_until(struct nonet_queue *queue, void *message, size_t size, long type, unsigned flags,
				 nonet_time deadline);
int queue_sysv_send_until(struct nonet_queue *queue, const void *message, size_t size, nonet_time deadline);

/* The helper's own end. */
void queue_sysv_call_close(struct nonet_queue *queue);

/* As the carrier's descriptor; and close: what is in hand is put back. */
int queue_sysv_descriptor(struct nonet_queue *queue);
void queue_sysv_watch_close(struct nonet_queue *queue);
int queue_sysv_arm(struct nonet_waitable *waitable);

/*
 * An empty message that is in hand, if it is what @select means; one that isn't is put back. Return: its type, or 0.
 */
long queue_sysv_take_hand(struct nonet_queue *queue, const struct nonet_queue_select *select);

/* An empty message that is in hand is put back. Whether it couldn't be, and is what @select means. */
bool queue_sysv_has_hand(struct nonet_queue *queue, const struct nonet_queue_select *select);

#endif
