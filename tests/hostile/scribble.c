/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing over what a domain shares: bytes, bits, and words that look right: claims by other slots, generations that
 * are near, life words with thread ids that exist. By turns everywhere, and, with the rest put back as it was, only
 * where members write too: else no victim would get past the first check.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/domain_layout.h"
#include "domain/object_layout.h"
#include "harness/deadline.h"
#include "harness/fail.h"
#include "hostile/hostile.h"

/* Of the domain's file the header, and so many members and slots; the rest is holes that would be filled in vain. */
#define PAGES 24

/* So many bursts until the other turn. */
#define TURN 2000

struct part {
	size_t begin, size;
};

struct area {
	uint8_t *base;
	uint8_t *first; /* as it was */
	size_t size;
	struct part parts[3]; /* that members write to */
	size_t count;
};

static void area_map(struct area *area, int fd, size_t offset, size_t size)
{
	*area = (struct area){.size = size};
	area->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	test_check(area->base != MAP_FAILED);
	area->first = malloc(size);
	test_check(area->first != NULL);
	memcpy(area->first, area->base, size);
}

static uint64_t word_that_looks_right(struct test_random *random)
{
	static const uint32_t states[] = {0, 0, 1, 2, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xffff};
	const uint64_t generation = test_random_next(random) % 8;
	const uint64_t slot = test_random_next(random) % 12;
	const uint64_t state = states[test_random_next(random) % (sizeof(states) / sizeof(states[0]))];
	const uint64_t waiters = test_random_next(random) & 1;

	switch (test_random_next(random) % (hostile_kind.word ? 9 : 6)) {
	case 0: /* a claim */
		return generation << 32 | waiters << 31 | slot << 16 | state;
	case 1: /* a life word */
		return generation << 32 | waiters << 31 | (uint64_t)(uint32_t)getppid();
	case 2: /* of a dead one */
		return generation << 32 | UINT64_C(0xc0000000);
	case 3: /* a large slot, in the last generation */
		return UINT64_C(0xffffffff7fff0000) | state;
	case 4:
		return 0;
	case 5:
		return test_random_next(random);
	default:
		return hostile_kind.word(random);
	}
}

static void write_over(const struct area *area, struct test_random *random, bool anywhere)
{
	const struct part *part = &area->parts[area->count ? test_random_next(random) % area->count : 0];
	const size_t at =
		anywhere ? test_random_next(random) % area->size : part->begin + test_random_next(random) % part->size;
	/* What matters lies at the beginning and the end of a page. */
	const size_t near_edge = at / 4096 * 4096 + (at % 2 ? at % 128 : 4096 - 32 + at % 32);
	const size_t place = (anywhere || part->size >= DOMAIN_PAGE) && test_random_next(random) % 4 ? near_edge : at;
	const size_t word = place & ~(size_t)7;

	switch (test_random_next(random) % 8) {
	case 0:
		area->base[at] = (uint8_t)test_random_next(random);
		break;
	case 1:
		area->base[place] ^= (uint8_t)(1u << test_random_next(random) % 8);
		break;
	case 2:
		memset(area->base + word, test_random_next(random) % 2 ? 0xff : 0, 8);
		break;
	default:
		atomic_store((_Atomic uint64_t *)(area->base + word), word_that_looks_right(random));
		break;
	}
}

static void put_back(const struct area *area)
{
	memcpy(area->base, area->first, area->size);
}

static void scribble_turn(const struct hostile_plan *plan, const struct area *areas, size_t count,
			  struct test_random *random, bool anywhere)
{
	for (size_t i = 0; i < count; i++)
		put_back(&areas[i]);
	for (int turn = 0; turn < TURN && !atomic_load(&plan->board->stop); turn++) {
		const uint64_t burst = 1 + test_random_next(random) % 16;

		for (uint64_t i = 0; i < burst; i++)
			write_over(&areas[test_random_next(random) % count], random, anywhere);
		atomic_fetch_add(&plan->board->written, burst);
		if (anywhere && test_random_next(random) % 4 == 0)
			put_back(&areas[test_random_next(random) % count]);
		/* As others get to run, so does this one: then its words stay for a while. */
		if (test_random_next(random) % 64 == 0)
			sched_yield();
	}
}

/* Who lives, by the slots: as a claim names it; 0: nobody. */
static uint64_t somebody_alive(const struct area *slots)
{
	for (size_t i = 1; slots && i < PAGES; i++) {
		const struct domain_slot *slot = (const struct domain_slot *)(slots->base + i * DOMAIN_PAGE);
		const uint64_t life = atomic_load(&slot->life);

		if (life & 0x3fffffff && !(life & 0x40000000))
			return life >> 32 << 32 | i << 16;
	}
	return 0;
}

/*
 * A claim that is never twice the same, by one who lives: nobody gets to sleep on it, and each has to see by himself
 * that his deadline has passed.
 */
static void hammer(const struct hostile_plan *plan, const struct area *areas, size_t count, struct test_random *random)
{
	const struct area *slots = &areas[count - 1];
	_Atomic uint64_t *claim = (_Atomic uint64_t *)(areas[0].base + areas[0].parts[0].begin);
	const nonet_time end = test_clock() + 3 * HOSTILE_LATE * test_slowness();

	for (size_t i = 0; i < count; i++)
		put_back(&areas[i]);
	while (test_clock() < end && !atomic_load(&plan->board->stop)) {
		const uint64_t owner = somebody_alive(slots);
		struct domain_slot *slot = (struct domain_slot *)(slots->base + (owner >> 16 & 0x7fff) * DOMAIN_PAGE);

		/* Whoever asks who that is, is led astray. */
		if (owner && test_random_next(random) % 2)
			atomic_store(&slot->member, (uint32_t)test_random_next(random));
		for (uint64_t i = 0; owner && i < 1000; i++)
			atomic_store(claim, owner | test_random_next(random) % 2 << 31 | i);
		atomic_fetch_add(&plan->board->written, 1000);
	}
}

static void whole_is_written(struct area *area)
{
	area->parts[area->count++] = (struct part){0, area->size};
}

void hostile_scribble(const struct hostile_plan *plan)
{
	struct test_random random = test_random_init(test_seed(), 77);
	struct area areas[4];
	size_t count = 0;
	struct stat status;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/m.%s", plan->directory, plan->kind->scheme);
	fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	test_must(fstat(fd, &status));
	area_map(&areas[count], fd, 0, (size_t)status.st_size);
	areas[count].parts[0] = (struct part){OBJECT_PAYLOAD + plan->kind->begin, plan->kind->size};
	areas[count].parts[1] =
		(struct part){offsetof(struct object_header, trace), sizeof(struct object_trace) * OBJECT_TRACE};
	areas[count].parts[2] = (struct part){plan->kind->data_begin, plan->kind->data_size};
	areas[count++].count = plan->kind->data_size ? 3 : 2;
	if (plan->way == HOSTILE_ALL) {
		snprintf(path, sizeof(path), "%s/.domain", plan->directory);
		fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
		area_map(&areas[count], fd, 0, DOMAIN_PAGE);
		areas[count].parts[0] = (struct part){offsetof(struct domain_header, member_hint), 12};
		areas[count++].count = 1;
		area_map(&areas[count], fd, DOMAIN_MEMBER(0), (size_t)PAGES * DOMAIN_PAGE);
		whole_is_written(&areas[count++]);
		area_map(&areas[count], fd, DOMAIN_SLOT(0), (size_t)PAGES * DOMAIN_PAGE);
		whole_is_written(&areas[count++]);
	}
	while (!atomic_load(&plan->board->stop)) {
		scribble_turn(plan, areas, count, &random, false);
		if (plan->way == HOSTILE_ALL)
			hammer(plan, areas, count, &random);
		scribble_turn(plan, areas, count, &random, true);
	}
}
