/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/time.h"
#include "sys/fault.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/thread.h"

/* What a look-up in another thread, and whoever waits for it, have in common. */
struct resolve_request {
	pthread_mutex_t lock; /* of all below but @host */
	pthread_cond_t ended;
	unsigned users; /* the thread, and who waits: the last one frees it */
	bool done;
	bool given_up; /* nobody waits any more, and the thread hasn't ended */
	int error;
	struct sys_addresses addresses;
	char host[]; /* written before the thread begins */
};

/* What getaddrinfo(3) says, as an errno; @number is errno right after it. */
static int resolve_error(int code, int number)
{
	switch (code) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		/* Of us. Any other is a name service's word for its own trouble, and would be taken for the host's. */
		return number == EMFILE || number == ENFILE || number == ENOMEM ? -number : -EREMOTEIO;
	default:
		return -EREMOTEIO;
	}
}

static int resolve_now(const char *host, int flags, struct sys_addresses *ret_addresses)
{
	/* One socket type, or each address comes once for each. */
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	struct addrinfo *found = NULL;
	int error = sys_fault(SYS_CALL_RESOLVE);

	if (error < 0)
		return error;
	error = getaddrinfo(host, NULL, &hints, &found);
	if (error != 0)
		return resolve_error(error, errno);
	ret_addresses->count = 0;
	for (struct addrinfo *item = found; item && ret_addresses->count < SYS_ADDRESSES_MAX; item = item->ai_next) {
		if (item->ai_family != AF_INET && item->ai_family != AF_INET6)
			continue;
		memcpy(&ret_addresses->list[ret_addresses->count++], item->ai_addr, item->ai_addrlen);
	}
	freeaddrinfo(found);
	return ret_addresses->count > 0 ? 0 : -ENOENT;
}

int sys_resolve_numeric(const char *host, struct sys_addresses *ret_addresses)
{
	return resolve_now(host, AI_NUMERICHOST, ret_addresses);
}

static struct resolve_request *request_new(const char *host)
{
	const size_t size = strlen(host) + 1;
	struct resolve_request *request = sys_allocate(sizeof(*request) + size);
	pthread_condattr_t attributes;

	if (!request)
		return NULL;
	memcpy(request->host, host, size);
	request->users = 2;
	/* None of these can fail on Linux: they only fill in memory. */
	pthread_mutex_init(&request->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&request->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	return request;
}

/*
 * How many threads look something up that nobody waits for any more: {sys_generation() 32 | number 32}. Those of a
 * parent aren't here.
 */
static _Atomic uint64_t resolve_given_up;

static uint32_t given_up_count(void)
{
	const uint64_t word = atomic_load_explicit(&resolve_given_up, memory_order_relaxed);

	return word >> 32 == sys_generation() ? (uint32_t)word : 0;
}

static void given_up_add(uint32_t by)
{
	uint64_t word = atomic_load_explicit(&resolve_given_up, memory_order_relaxed);
	uint64_t next;

	do {
		next = word >> 32 == sys_generation() ? (uint32_t)word : 0;
		next = (uint64_t)sys_generation() << 32 | (uint32_t)(next + by);
	} while (!atomic_compare_exchange_weak_explicit(&resolve_given_up, &word, next, memory_order_relaxed,
							memory_order_relaxed));
}

/* With its lock held, which is let go. */
static void request_leave(struct resolve_request *request)
{
	const bool last = --request->users == 0;

	pthread_mutex_unlock(&request->lock);
	if (!last)
		return;
	pthread_cond_destroy(&request->ended);
	pthread_mutex_destroy(&request->lock);
	sys_free(request);
}

static void *resolve_thread(void *argument)
{
	struct resolve_request *request = argument;
	struct sys_addresses addresses = {0};
	int error = resolve_now(request->host, 0, &addresses);

	pthread_mutex_lock(&request->lock);
	request->addresses = addresses;
	request->error = error;
	request->done = true;
	if (request->given_up)
		given_up_add((uint32_t)-1);
	pthread_cond_signal(&request->ended);
	request_leave(request);
	return NULL;
}

/* Detached, and with the stack that the program's threads have: name services need more than helpers do. */
static int resolve_start(struct resolve_request *request)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = sys_thread_create(&attributes, resolve_thread, request, &thread);
	pthread_attr_destroy(&attributes);
	return error;
}

int sys_resolve(const char *host, nonet_time deadline, struct sys_addresses *ret_addresses)
{
	struct resolve_request *request;
	struct timespec until;
	int error;

	if (deadline == NONET_NOW)
		return -EAGAIN;
	if (deadline == NONET_FOREVER)
		return resolve_now(host, 0, ret_addresses);
	if (given_up_count() >= SYS_RESOLVE_GIVEN_UP_MAX)
		return -EREMOTEIO;
	request = request_new(host);
	if (!request)
		return -ENOMEM;
	error = resolve_start(request);
	pthread_mutex_lock(&request->lock);
	if (error < 0) {
		request->users--;
		request_leave(request);
		return error;
	}
	until = time_to_timespec(deadline);
	while (!request->done && error == 0)
		error = pthread_cond_timedwait(&request->ended, &request->lock, &until);
	error = request->done ? request->error : -ETIMEDOUT;
	if (!request->done) {
		request->given_up = true;
		given_up_add(1);
	}
	if (error == 0)
		*ret_addresses = request->addresses;
	request_leave(request);
	return error;
}
