/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_FOLD_H
#define NONET_TOOL_FOLD_H

#include <stddef.h>

/* Text of a table's cell: lines between newlines, ASCII. */

/* How long the longest line is. */
size_t fold_width(const char *text);

/*
 * Breaks lines longer than @width between words; what goes on in a further line is set in by two blanks. A word longer
 * than a line stays whole. Cut short, at a word's end, where @capacity is too small.
 */
void fold_text(const char *text, size_t width, char *ret_text, size_t capacity);

#endif
