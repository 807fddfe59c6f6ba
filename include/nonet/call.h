/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_CALL_H
#define NONET_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/channel.h>
#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Calls: a client sends a request and gets the reply that belongs to it, through the lanes of a channel that was made
 * for that (NONET_CHANNEL_CALLS). Each client has two lanes, one for its requests and one for the server's replies, so
 * that it waits for no other client, and fills up no other's lane.
 *
 *   channel:NAME, channel:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *
 * One server at a time answers. It takes requests of all clients in turn, may hold several, and answers them in any
 * order, each once. A client may have NONET_CALLS calls at once. What a client has given up is carried out, or not; its
 * reply is discarded, and never taken for that of another call.
 *
 * Either side may be killed at any instruction. When the server ends with calls unanswered, they fail (-EPIPE); or,
 * with NONET_CALL_WAIT, wait for the next server, which gets them again: so a request may be carried out twice, but
 * never has two replies. A client that is killed leaves nothing that the server, or another client, waits for.
 *
 * A client and a server may each be used by one thread at a time; a process may have many. In a forked child they are
 * the parent's (-ECHILD); the child opens its own.
 */
struct nonet_client;
struct nonet_server;

#define NONET_CALLS 64u /* calls of a client, at most, that were begun and whose reply it hasn't released */

/* Flags of struct nonet_call_options. */
#define NONET_CALL_WAIT  1u /* client: when the server ends, wait for the next one */
#define NONET_CALL_POLL  2u /* never sleep, look all the time: takes a CPU, and the least time */
#define NONET_CALL_SLEEP 4u /* sleep at once, don't look some microseconds longer before */

struct nonet_call_options {
	uint32_t size;        /* sizeof(struct nonet_call_options) */
	uint32_t flags;       /* NONET_CALL_* */
	uint64_t reserved[3]; /* zero */
};

/* A reply, where it was written. */
struct nonet_reply {
	const void *data;
	size_t size;
	uint64_t call; /* which one it is the reply to */
	int32_t code;  /* 0; or what the server says that went wrong */
	uint32_t reserved;
};

/**
 * nonet_client_open() - be ready to call
 * @address:    channel:NAME or channel:DIR/NAME
 * @options:    or NULL
 * @ret_client: closed with nonet_client_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * There needn't be a server yet. The place of a killed client is free once its process is gone with all of its threads.
 *
 * Return: 0, or
 *   -ENOENT      there is no such channel
 *   -EUSERS      it has as many clients as it was made for
 *   -EPROTO      it isn't for calls: it was made without NONET_CHANNEL_CALLS
 *   -EINVAL      not the address of a channel; bad @options
 *   others       as nonet_publisher_open()
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_open(const char *address, const struct nonet_call_options *options,
						    struct nonet_client **ret_client, struct nonet_error *reterr);

/**
 * nonet_client_close() - call no more
 * @client: may be NULL; replies that it holds are released, calls given up; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_client *nonet_client_close(struct nonet_client *client);

/**
 * nonet_client_call() - call, and wait for the reply
 * @client:    a handle
 * @message:   bytes; may be NULL only if @size is 0
 * @size:      in bytes, at most nonet_client_limit()
 * @deadline:  of the whole call
 * @ret_reply: released with nonet_client_release()
 *
 * It fails or has a reply; a call that fails is given up. This is nonet_client_begin() and nonet_client_end().
 *
 * Return: 0, also if the server says that something went wrong (@ret_reply->code); or
 *   -ETIMEDOUT, -EAGAIN   no room, or no reply, before @deadline, or at once if that is NONET_NOW
 *   -EPIPE       there is no server, or it ended without a reply; never with NONET_CALL_WAIT
 *   -EMSGSIZE    @size is over the limit
 *   -ENOBUFS     NONET_CALLS calls were begun and not released
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this channel can't be used any more
 *   -ESTALE      the domain was removed, or the channel's descriptor closed by somebody else
 *   -ENOMEM, -EMFILE, -ENFILE   the server's lane can't be mapped, or not slept on
 * Context: one thread at a time; not in a signal handler. It makes no system call while the server answers in some
 * microseconds.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_call(struct nonet_client *client, const void *message, size_t size,
						    nonet_time deadline, struct nonet_reply *ret_reply);

/**
 * nonet_client_begin() - send a request
 * @client:   a handle
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most nonet_client_limit()
 * @deadline: when to give up waiting for room
 * @ret_call: its name for nonet_client_end(): never 0
 *
 * It doesn't take replies meanwhile. Who begins more than the lanes take in one direction waits for a server that may
 * wait for him: end calls in between, or let the server answer with a deadline.
 *
 * Return: 0; or, and then nothing was sent, as nonet_client_call(), but never -EPIPE.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_begin(struct nonet_client *client, const void *message, size_t size,
						     nonet_time deadline, uint64_t *ret_call);

/**
 * nonet_client_loan() - get room for a request, to be written in place
 * @client:     a handle
 * @size:       in bytes, at most nonet_client_limit()
 * @deadline:   when to give up waiting for room
 * @ret_buffer: room for @size bytes, aligned to 8, until it is committed or aborted; the next loan or request ends
 *              it too, also if that fails
 *
 * As long as there is a loan nothing is sent again to a new server (NONET_CALL_WAIT).
 *
 * Return: as nonet_client_begin().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_loan(struct nonet_client *client, size_t size, nonet_time deadline,
						    void **ret_buffer);

/**
 * nonet_client_commit() - send the request that was written to what was loaned
 * @client:   a handle with a loan
 * @size:     bytes that were written, at most those loaned
 * @ret_call: as nonet_client_begin()
 *
 * Return: 0, or
 *   -EINVAL      nothing is loaned
 *   -EMSGSIZE    @size is more than was loaned: the loan stays
 *   -ECHILD, -EBADMSG   as nonet_client_call()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_commit(struct nonet_client *client, size_t size, uint64_t *ret_call);

/**
 * nonet_client_abort() - give a loan back: nothing is sent
 * @client: a handle, with a loan or without
 *
 * Return: 0, or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC int nonet_client_abort(struct nonet_client *client);

/**
 * nonet_client_end() - get the reply to a call
 * @client:    a handle
 * @call:      that was begun
 * @deadline:  when to give up waiting; NONET_NOW: only look. The call goes on
 * @ret_reply: released with nonet_client_release()
 *
 * Replies to other calls that come meanwhile are kept where they were written, for their own nonet_client_end(). They
 * take up the client's lane: who leaves many of them there may leave the server no room for the one that is waited for.
 *
 * Return: 0, also if the server says that something went wrong (@ret_reply->code); or
 *   -EAGAIN      there is none yet, and @deadline is NONET_NOW
 *   -ETIMEDOUT   there was none before @deadline
 *   -EPIPE       the server ended without a reply, or there is none; the call is over. Never with NONET_CALL_WAIT
 *   -EINVAL      @call isn't going on
 *   -ECHILD, -EBADMSG, -ESTALE, -ENOMEM, -EMFILE, -ENFILE   as nonet_client_call()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_end(struct nonet_client *client, uint64_t call, nonet_time deadline,
						   struct nonet_reply *ret_reply);

/**
 * nonet_client_cancel() - give a call up: its reply is discarded when it comes
 * @client: a handle
 * @call:   that was begun, and has not ended
 *
 * Return: 0; -EINVAL: it isn't going on; or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC int nonet_client_cancel(struct nonet_client *client, uint64_t call);

/**
 * nonet_client_release() - a reply isn't needed any more
 * @client: a handle
 * @reply:  that it has got. In any order
 *
 * Return: 0; -EINVAL: it isn't held; or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC int nonet_client_release(struct nonet_client *client, const struct nonet_reply *reply);

/** nonet_client_limit() - the largest request, in bytes: half a lane, less 64. */
NONET_PUBLIC size_t nonet_client_limit(const struct nonet_client *client);

/**
 * nonet_client_fd() - a descriptor for poll(2): POLLIN once there may be a reply, or the server has ended
 * @client: a handle
 *
 * As nonet_subscriber_fd(). After it nonet_client_end() with NONET_NOW for each call, and nonet_client_arm().
 */
NONET_PUBLIC int nonet_client_fd(struct nonet_client *client);

/** nonet_client_arm() - 1: some call may be over; 0: the descriptor will tell; or as nonet_subscriber_arm(). */
NONET_PUBLIC NONET_MUST_CHECK int nonet_client_arm(struct nonet_client *client);

/** nonet_client_waitable() - what nonet_wait_set_add() wants. Owned by @client. */
NONET_PUBLIC struct nonet_waitable *nonet_client_waitable(struct nonet_client *client);

/**
 * nonet_client_explain() - say in a sentence why a call failed
 * @client:    the one that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_client_explain(struct nonet_client *client, int code, struct nonet_error *ret_error);

/**
 * nonet_server_open() - answer the calls of a channel
 * @address:    channel:NAME or channel:DIR/NAME
 * @options:    or NULL; NONET_CALL_WAIT isn't for servers
 * @ret_server: closed with nonet_server_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * It gets what is sent from now on. Clients of the server before it are told what it won't get; those with
 * NONET_CALL_WAIT send that again. The place of a killed server is free once its process is gone with all of its
 * threads.
 *
 * Return: 0, or
 *   -ENOENT      there is no such channel
 *   -EBUSY       it has a server
 *   -EPROTO      it isn't for calls: it was made without NONET_CHANNEL_CALLS
 *   -EINVAL      not the address of a channel; bad @options
 *   others       as nonet_subscriber_open()
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_open(const char *address, const struct nonet_call_options *options,
						    struct nonet_server **ret_server, struct nonet_error *reterr);

/**
 * nonet_server_close() - answer no more
 * @server: may be NULL; requests that it holds are left unanswered; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_server *nonet_server_close(struct nonet_server *server);

/**
 * nonet_server_next() - get the next request, in place
 * @server:      a handle
 * @deadline:    when to give up; NONET_NOW: only look
 * @ret_request: given back by its reply, or by nonet_server_drop(). Its lane and sequence say which it is, its
 *               publisher whose
 *
 * Its bytes are the client's, who can write to them as long as they are read: who doesn't trust him copies them, and
 * checks the copy.
 *
 * Return: 0, or
 *   -EAGAIN      there is none, and @deadline is NONET_NOW
 *   -ETIMEDOUT   there was none before @deadline
 *   -ENOBUFS     NONET_CHANNEL_TAKEN requests of one client are held, and there is none of another: answer some
 *   -ECHILD, -EBADMSG, -ESTALE, -ENOMEM, -EMFILE, -ENFILE   as nonet_subscriber_take()
 * Context: one thread at a time; not in a signal handler. While there are requests it makes no system call.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_next(struct nonet_server *server, nonet_time deadline,
						    struct nonet_message *ret_request);

/**
 * nonet_server_reply() - answer a request with a copy of a message
 * @server:   a handle
 * @request:  that it holds; it isn't held any more after 0
 * @code:     0; or what went wrong, any other number: the client gets it beside the message
 * @message:  bytes; may be NULL only if @size is 0. It may be the request's
 * @size:     in bytes, at most nonet_server_limit()
 * @deadline: when to give up waiting for a client that leaves its replies unread. As long as it waits nobody else is
 *            served: where clients aren't trusted to read, NONET_NOW, and later again
 *
 * Return: 0, also when the client is dead, or has given the call up; or, and then @request is still held,
 *   -EAGAIN      no room, and @deadline is NONET_NOW
 *   -ETIMEDOUT   no room before @deadline
 *   -EMSGSIZE    @size is over the limit
 *   -EINVAL      @request isn't held
 *   -ECHILD, -EBADMSG, -ESTALE   as nonet_server_next()
 *   -ENOSPC, -EDQUOT, -ENOMEM, -EFBIG, -EMFILE, -ENFILE, -EUSERS   the first reply to a client: its lane can't be had
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_reply(struct nonet_server *server, const struct nonet_message *request,
						     int32_t code, const void *message, size_t size,
						     nonet_time deadline);

/**
 * nonet_server_loan() - get room for a reply, to be written in place
 * @server:     a handle
 * @request:    that it holds
 * @size:       in bytes, at most nonet_server_limit()
 * @deadline:   as nonet_server_reply()
 * @ret_buffer: room for @size bytes, aligned to 8, until it is committed, or @request dropped; the next loan for, or
 *              reply to, the same client ends it too, also if that fails
 *
 * Return: as nonet_server_reply().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_loan(struct nonet_server *server, const struct nonet_message *request,
						    size_t size, nonet_time deadline, void **ret_buffer);

/**
 * nonet_server_commit() - send the reply that was written to what was loaned
 * @server:  a handle
 * @request: that it holds, and has a loan for; it isn't held any more after 0
 * @code:    as nonet_server_reply()
 * @size:    bytes that were written, at most those loaned
 *
 * Return: 0, or
 *   -EINVAL      @request isn't held, or nothing is loaned for it
 *   -EMSGSIZE    @size is more than was loaned: the loan stays
 *   -ECHILD, -EBADMSG   as nonet_server_next()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_commit(struct nonet_server *server, const struct nonet_message *request,
						      int32_t code, size_t size);

/**
 * nonet_server_drop() - leave a request without a reply: its client waits for as long as he has said
 * @server:  a handle
 * @request: that it holds
 *
 * Return: 0; -EINVAL: it isn't held; or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC int nonet_server_drop(struct nonet_server *server, const struct nonet_message *request);

/** nonet_server_limit() - the largest reply, in bytes: half a lane, less 80. */
NONET_PUBLIC size_t nonet_server_limit(const struct nonet_server *server);

/** nonet_server_fd() - a descriptor for poll(2): POLLIN once there may be a request. As nonet_subscriber_fd(). */
NONET_PUBLIC int nonet_server_fd(struct nonet_server *server);

/** nonet_server_arm() - 1: there may be a request; 0: the descriptor will tell; or as nonet_subscriber_arm(). */
NONET_PUBLIC NONET_MUST_CHECK int nonet_server_arm(struct nonet_server *server);

/** nonet_server_waitable() - what nonet_wait_set_add() wants. Owned by @server. */
NONET_PUBLIC struct nonet_waitable *nonet_server_waitable(struct nonet_server *server);

/**
 * nonet_server_explain() - say in a sentence why a call failed
 * @server:    the one that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_server_explain(struct nonet_server *server, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
