/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_PROPERTY_H
#define CONFORM_PROPERTY_H

#include "conform/carrier.h"
#include "conform/message.h"
#include "harness/test.h"

/* What has to hold on each carrier. A new property is a line here, and a function in a property_*.c. */
#define PROPERTIES(X)                                                                  \
	X(a_hundred_thousand_messages_arrive_in_order, ABILITY_COUNT)                  \
	X(every_size_up_to_the_largest_arrives_whole, ABILITY_COUNT)                   \
	X(a_message_over_the_limit_is_refused_and_the_next_one_goes, ABILITY_COUNT)    \
	X(a_message_larger_than_the_buffer_stays_until_it_fits, ABILITY_COUNT)         \
	X(nobody_sends_who_only_receives_nor_the_other_way, ABILITY_COUNT)             \
	X(both_sides_talk_at_once, ABILITY_DUPLEX)                                     \
	X(now_never_waits_and_a_past_deadline_tries_once, ABILITY_COUNT)               \
	X(a_receiver_waits_to_its_deadline_and_no_longer, ABILITY_COUNT)               \
	X(a_sender_waits_to_its_deadline_and_no_longer, ABILITY_ROOM)                  \
	X(a_message_ends_a_wait_at_once, ABILITY_COUNT)                                \
	X(room_ends_a_wait_at_once, ABILITY_ROOM)                                      \
	X(a_storm_of_signals_shortens_no_deadline, ABILITY_COUNT)                      \
	X(a_storm_of_signals_loses_and_tears_nothing, ABILITY_COUNT)                   \
	X(a_stopped_reader_costs_the_sender_its_deadline_and_no_message, ABILITY_ROOM) \
	X(a_stopped_reader_keeps_small_messages_whole, ABILITY_ROOM)                   \
	X(a_receiver_is_told_at_once_that_the_sender_was_killed, ABILITY_END)          \
	X(a_sender_is_told_at_once_that_the_receiver_was_killed, ABILITY_GONE)         \
	X(what_a_killed_sender_had_sent_is_received, ABILITY_COUNT)                    \
	X(sending_to_the_dead_raises_no_signal, ABILITY_COUNT)                         \
	X(the_end_comes_after_every_message, ABILITY_END)                              \
	X(who_has_finished_still_receives, ABILITY_FINISH)                             \
	X(finish_refuses_where_the_carrier_cannot, ABILITY_COUNT)                      \
	X(a_wait_set_reports_until_all_is_taken, ABILITY_COUNT)                        \
	X(a_wait_set_reports_room, ABILITY_EVENT)                                      \
	X(a_wait_set_reports_the_end, ABILITY_END)                                     \
	X(armed_under_epoll_no_message_is_missed, ABILITY_COUNT)                       \
	X(a_forked_child_receives_on_what_it_inherited, ABILITY_COUNT)                 \
	X(a_forked_child_sends_on_what_it_inherited, ABILITY_COUNT)                    \
	X(bytes_that_are_no_message_are_refused, ABILITY_COUNT)                        \
	X(a_message_before_the_garbage_is_received, ABILITY_COUNT)                     \
	X(a_message_cut_off_by_death_is_told_once, ABILITY_END)                        \
	X(random_bytes_never_hang_nor_crash, ABILITY_COUNT)

#define PROPERTY_DECLARE(name, ability) void name(const struct carrier *carrier);
PROPERTIES(PROPERTY_DECLARE)

/* What a wait may take beyond its deadline, and what a death may take to be told. */
#define TOLERANCE (NONET_MS(100) * test_slowness())

/* Fail unless a wait ended at its deadline: not before, and not later than this process was kept from running. */
struct punctual {
	nonet_time begin;
	nonet_time deadline;
	nonet_time kept; /* from running, by then */
};
struct punctual punctual_begin(nonet_time deadline);
#define punctual_end(punctual) punctual_end_at(TEST_HERE, (punctual))
void punctual_end_at(const char *file, int line, const struct punctual *punctual);

/* Start a child on the other side, open ours, and wait until it reports "ready". */
#define talk_start(pair, other, argument, ours, ret_endpoint) \
	talk_start_at(TEST_HERE, #other, (pair), (other), (argument), (ours), (ret_endpoint))
struct test_child *talk_start_at(const char *file, int line, const char *name, struct pair *pair,
				 test_child_function *other, void *argument, enum pair_side ours,
				 struct nonet_endpoint **ret_endpoint);
/* An idle child is told to end; then all is closed. @endpoint may be NULL. */
void talk_end(struct pair *pair, struct test_child *idle, struct nonet_endpoint *endpoint);

#endif
