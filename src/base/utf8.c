/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>

size_t utf8_printable(const char *bytes, size_t size)
{
	/* The least code point that needs this many bytes: a smaller one is an overlong spelling. */
	static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
	uint32_t point;
	size_t length, i;
	unsigned char first;

	if (!size)
		return 0;
	first = (unsigned char)bytes[0];
	if (first < 0x80)
		return first >= 0x20 && first != 0x7f;
	length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc0 || first > 0xf7 || size < length)
		return 0;
	point = first & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		unsigned char next = (unsigned char)bytes[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (next & 0x3f);
	}
	/* C1 controls, U+0080 to U+009f, fall with the overlong ones. */
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return length;
}

size_t utf8_cut(const char *bytes, size_t size, size_t limit)
{
	size_t cut = 0;

	if (size <= limit)
		return size;
	while (cut < limit) {
		size_t length = utf8_printable(bytes + cut, size - cut);

		length = length ? length : 1;
		if (length > limit - cut)
			break;
		cut += length;
	}
	return cut;
}
