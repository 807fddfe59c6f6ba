/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a domain, as a hostile member has written them: an object's file that is opened, and both while they are
 * used, with his next words written between our calls. Each input is a script of steps of 12 bytes:
 *
 *   0  which file, or which call   1  free   2-3  which word   4-11  the word
 *
 * Whatever the words are, each call returns, with 0 or an errno of its own, and writes nothing but its outputs; no loop
 * is longer than the tables are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "domain/object_layout.h"
#include "domain/thread.h"

#define STEP   12
#define STEPS  40
#define OBJECT (OBJECT_PAYLOAD + 64)
#define PAGES  12 /* of members, and of slots, that steps write to */

static char directory[64];
static char address[96];
static struct domain *domain;
static uint64_t *object; /* the object's file */
static uint8_t first[OBJECT];
static uint8_t first_pages[2 * PAGES + 1][DOMAIN_PAGE];

static void require(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t *page_of(size_t index)
{
	uint8_t *base = domain->map.base;

	if (index == 0)
		return base;
	return index <= PAGES ? base + DOMAIN_MEMBER(index - 1) : base + DOMAIN_SLOT(index - 1 - PAGES);
}

static void clean_up(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/m.mutex", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.domain", directory);
	unlink(path);
	rmdir(directory);
}

static void begin(void)
{
	struct nonet_mutex *mutex;
	char path[128];
	uint64_t owner;
	int fd;

	snprintf(directory, sizeof(directory), "/dev/shm/nonet-fuzz-XXXXXX");
	require(mkdtemp(directory) != NULL);
	atexit(clean_up);
	snprintf(address, sizeof(address), "mutex:%s/m", directory);
	require(nonet_mutex_create(address, NULL, &mutex, NULL) == 0);
	require(nonet_mutex_lock(mutex, NONET_NOW) == 0 && nonet_mutex_unlock(mutex) == 0);
	nonet_mutex_close(mutex);
	require(domain_join(directory, false, &domain, NULL) == 0);
	require(domain_thread_owner(domain, &owner) == 0);
	snprintf(path, sizeof(path), "%s/m.mutex", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	object = mmap(NULL, OBJECT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	require(object != MAP_FAILED);
	close(fd);
	memcpy(first, object, OBJECT);
	for (size_t i = 0; i <= 2 * (size_t)PAGES; i++)
		memcpy(first_pages[i], page_of(i), DOMAIN_PAGE);
}

/* As it was, so that an input means the same each time. */
static void put_back(void)
{
	memcpy(object, first, OBJECT);
	for (size_t i = 0; i <= 2 * (size_t)PAGES; i++)
		memcpy(page_of(i), first_pages[i], DOMAIN_PAGE);
}

static void write_word(uint8_t file, uint16_t which, uint64_t word)
{
	uint64_t *words = object;
	size_t count = OBJECT / 8;

	if (file % 2) {
		words = (uint64_t *)page_of(which % (2 * PAGES + 1));
		count = DOMAIN_PAGE / 8;
		/* Most words that matter are at a page's beginning, and the life word at its end. */
		which = (uint16_t)(file & 4 ? count - 3 : (which >> 5) % 16);
	} else if (file & 4) {
		which = (uint16_t)(OBJECT_PAYLOAD / 8 + which % 8);
	}
	words[which % count] = word;
}

static void check(int result)
{
	require(result <= 0 && result > -4096 && result != -EFAULT && result != -EINTR);
}

static void use(struct nonet_mutex *mutex, uint8_t call, uint64_t word)
{
	struct {
		uint64_t before;
		struct nonet_mutex_holder holder;
		uint64_t behind;
	} seen = {.before = word, .behind = word};
	struct nonet_error error;

	switch (call % 8) {
	case 0:
		check(nonet_mutex_lock(mutex, NONET_NOW));
		break;
	case 1:
		check(nonet_mutex_unlock(mutex));
		break;
	case 2:
		check(nonet_mutex_recover(mutex));
		break;
	case 3:
		check(nonet_mutex_look(mutex, &seen.holder));
		require(seen.before == word && seen.behind == word);
		break;
	case 4:
		/* So short that nobody could sleep for it. */
		check(nonet_mutex_lock(mutex, nonet_clock()));
		break;
	case 5:
		nonet_mutex_explain(mutex, -(int)(word % 134), &error);
		require(memchr(error.text, '\0', sizeof(error.text)) != NULL);
		break;
	default:
		require(life_look(domain, word) <= 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nonet_mutex *mutex = NULL;
	bool opened = false;

	if (!domain)
		begin();
	put_back();
	for (size_t i = 0; i < STEPS && size >= STEP; i++, data += STEP, size -= STEP) {
		uint16_t which;
		uint64_t word;

		memcpy(&which, data + 2, sizeof(which));
		memcpy(&word, data + 4, sizeof(word));
		if (data[0] < 0x60) {
			write_word(data[0], which, word);
		} else if (mutex) {
			use(mutex, data[0], word);
		} else if (!opened) {
			const int result = nonet_mutex_open(address, &mutex, NULL);

			check(result);
			require((result == 0) == (mutex != NULL));
			opened = true;
		}
	}
	nonet_mutex_close(mutex);
	return 0;
}
