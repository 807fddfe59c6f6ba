/* SPDX-License-Identifier: Apache-2.0 */
#include "message_json.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

static char *base64(const unsigned char *bytes, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;
	uint32_t group;
	size_t i, left;

	if (!text)
		return NULL;
	for (i = 0; i < size; i += 3) {
		left = size - i;
		group = (uint32_t)bytes[i] << 16;
		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*to++ = letters[group >> 18];
		*to++ = letters[group >> 12 & 63];
		*to++ = left > 1 ? letters[group >> 6 & 63] : '=';
		*to++ = left > 2 ? letters[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

/* jansson passes only "it failed" on: what failed is kept here. */
struct sink {
	struct output *output;
	int result;
};

static int put(const char *bytes, size_t size, void *data)
{
	struct sink *sink = data;

	sink->result = output_write(sink->output, bytes, size);
	return sink->result;
}

static int write_object(struct output *output, const char *message, size_t size, const char *label, int64_t value)
{
	json_t *object = json_object(), *text = json_stringn(message, size);
	struct sink sink = {.output = output, .result = -ENOMEM};
	char *data = NULL;

	if (!object || json_object_set_new(object, "size", json_integer((json_int_t)size)) < 0)
		goto out;
	if (label && json_object_set_new(object, label, json_integer(value)) < 0)
		goto out;
	if (text) {
		if (json_object_set(object, "text", text) < 0)
			goto out;
	} else {
		data = base64((const unsigned char *)message, size);
		if (!data || json_object_set_new(object, "data", json_string(data)) < 0)
			goto out;
	}
	if (json_dump_callback(object, put, &sink, JSON_COMPACT | JSON_PRESERVE_ORDER) == 0)
		sink.result = 0;
	else if (sink.result >= 0)
		sink.result = -ENOMEM;
out:
	free(data);
	json_decref(text);
	json_decref(object);
	return sink.result;
}

int message_json_write(struct output *output, const char *message, size_t size, const char *label, int64_t value)
{
	int r = write_object(output, message, size, label, value);

	return r < 0 ? r : output_write(output, "\n", 1);
}

int message_json_object(struct output *output, const char *message, size_t size)
{
	return write_object(output, message, size, NULL, 0);
}
