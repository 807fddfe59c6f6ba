/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_OBJECTS_H
#define NONET_TOOL_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <nonet/inspect.h>

/* What ls and show say of an object. Texts for a cell; empty where there is nothing to say. */
#define OBJECT_TEXT 128

const char *object_owner(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
const char *object_mode(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
const char *object_size(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
const char *object_queued(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
const char *object_age(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
const char *object_notes(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);

/* Of a file lock which bytes, after a comma; nothing if it is all. */
const char *lock_range(int64_t start, int64_t length, char text[OBJECT_TEXT]);

/* What is known, a line each, without who has it. */
void print_object(const struct nonet_inspect_object *object);

/* How long ago: "5m"; and a time as JSON has it. */
const char *age_text(int64_t time, char text[OBJECT_TEXT]);
json_t *time_json(int64_t time);

/* The domains that were looked into, a line each, and as an array. */
void print_domains(const struct nonet_inspect_list *list);
json_t *domains_json(const struct nonet_inspect_list *list);

/* Everything that is known; nonet-ls(1) has the members. NULL: no memory. */
json_t *object_json(const struct nonet_inspect_object *object);
json_t *coverage_json(const struct nonet_inspect_coverage *coverage);

/* The kinds of schemes that a word means, a scheme's own or "queues"; 0: none. */
uint64_t object_kinds(const char *word);

/* The words that object_kinds() knows beside the schemes, NULL last. */
extern const char *const object_words[];

/* Says on standard output, a line each, what couldn't be looked at, if anything. */
void print_coverage(const struct nonet_inspect_coverage *coverage);

/* How long the looking may take. */
#define OBJECTS_PATIENCE NONET_S(10)

#endif
