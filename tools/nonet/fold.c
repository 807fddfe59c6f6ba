/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"

#include <string.h>

#define FOLD_INDENT 2

size_t fold_width(const char *text)
{
	size_t most = 0;

	while (*text) {
		size_t size = strcspn(text, "\n");

		most = size > most ? size : most;
		text += size + (text[size] == '\n');
	}
	return most;
}

void fold_text(const char *text, size_t width, char *ret_text, size_t capacity)
{
	size_t used = 0, column = 0;

	ret_text[0] = '\0';
	while (*text) {
		const size_t word = strcspn(text, " \n");
		const int begins = column == 0;
		const int breaks = !begins && column + 1 + word > width;

		/* A word, what stands before it, and the end. */
		if (used + word + 2 + FOLD_INDENT > capacity)
			return;
		if (breaks) {
			memcpy(ret_text + used, "\n  ", 1 + FOLD_INDENT);
			used += 1 + FOLD_INDENT;
			column = FOLD_INDENT;
		} else if (!begins) {
			ret_text[used++] = ' ';
			column++;
		}
		memcpy(ret_text + used, text, word);
		used += word;
		column += word;
		text += word;
		if (*text == '\n') {
			if (used + 2 > capacity)
				return;
			ret_text[used++] = '\n';
			column = 0;
		}
		text += *text != '\0';
		ret_text[used] = '\0';
	}
}
