/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_EXPLAIN_H
#define STREAM_EXPLAIN_H

#include <stdbool.h>

#include <nonet/error.h>

#include "stream/stream.h"

/*
 * The sentences that sockets of all families have in common, and those of their listeners. @kind: "UNIX socket", "TCP
 * connection"; @name: where it listens.
 * Return: whether @code has one; else nothing is written.
 */
bool stream_explain(const struct stream *stream, const char *kind, int code, struct nonet_error *ret_error);

/* Why nobody was accepted; any @code has a sentence. */
void stream_explain_accept(const char *name, int code, struct nonet_error *ret_error);

#endif
