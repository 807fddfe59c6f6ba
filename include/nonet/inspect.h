/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_INSPECT_H
#define NONET_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/address.h>
#include <nonet/error.h>
#include <nonet/filelock.h>
#include <nonet/macro.h>
#include <nonet/time.h>

NONET_BEGIN_DECLS

/*
 * Looking at a machine: which objects of interprocess communication there are, whoever made them. Nothing is changed,
 * opened for use, connected to or received by looking. What can be seen depends on who looks: what couldn't be looked
 * at is counted, never passed over in silence.
 */

/* Which members of struct nonet_inspect_object are known. */
#define NONET_INSPECT_OWNER   1u    /* owner, group, mode */
#define NONET_INSPECT_ID      2u    /* id */
#define NONET_INSPECT_BYTES   4u    /* bytes */
#define NONET_INSPECT_COUNT   8u    /* count */
#define NONET_INSPECT_ROOM    16u   /* room */
#define NONET_INSPECT_USERS   32u   /* users */
#define NONET_INSPECT_WAITERS 64u   /* waiters */
#define NONET_INSPECT_CREATED 128u  /* created */
#define NONET_INSPECT_USED    256u  /* used */
#define NONET_INSPECT_PID     512u  /* pid */
#define NONET_INSPECT_PLACES  1024u /* publishers, subscribers: of a channel that isn't for calls */
#define NONET_INSPECT_CALLERS 2048u /* clients, servers: of one that is */

/* What else there is to say of an object. */
#define NONET_INSPECT_REMOVED   1u  /* its name is gone already, itself goes with its last user */
#define NONET_INSPECT_STALE     2u  /* a name that nobody has open: who made it has gone (sockets, FIFOs) */
#define NONET_INSPECT_LISTENING 4u  /* a socket that accepts connections */
#define NONET_INSPECT_LOCKED    8u  /* memory that is kept out of swap (SHM_LOCK) */
#define NONET_INSPECT_SHARED    16u /* a lock that others may share */
/* Of nonet's own objects: */
#define NONET_INSPECT_DAMAGED    32u   /* nobody can use it: damaged, not whole, or copied from another domain */
#define NONET_INSPECT_OWNER_DEAD 64u   /* somebody died who held it: the next one is told -EOWNERDEAD */
#define NONET_INSPECT_GIVEN_UP   128u  /* -ENOTRECOVERABLE */
#define NONET_INSPECT_SET        256u  /* event: who comes doesn't wait, until it is cleared */
#define NONET_INSPECT_SLEEPERS   512u  /* event, channel: some may sleep for it, whom nobody can name or count */
#define NONET_INSPECT_SIGNALS    1024u /* semaphore: it only counts: nobody holds its permits */

struct nonet_inspect_object {
	const char *address; /* as all calls take it; sysv*: by the key, by the id where there is no key */
	enum nonet_scheme scheme;
	uint32_t known; /* NONET_INSPECT_OWNER and so on; what isn't known is 0 */
	uint32_t flags; /* NONET_INSPECT_REMOVED and so on */
	uint32_t mode;  /* permissions, 0 to 0777 */
	uint32_t owner, group;
	int32_t id;  /* of System V */
	int32_t pid; /* who made it (sysvshm:) or holds it (locks, mutex:, rwlock:, and semaphore: if it is just one),
			in the caller's PID namespace */
	uint64_t bytes;   /* memory: its size; sysvmsg: what is queued; locks: the range's length, 0: to the end */
	uint64_t count;   /* queues: messages; semaphores: the value, of a set the sum of all, with what the dead had of
			     a semaphore:; events: how often they were set or pulsed; locks: the range's start */
	uint64_t room;    /* queues: the most messages (posixmq:) or bytes (sysvmsg:); sysvsem: semaphores in the set;
			     semaphore: how many permits there are, free or not */
	uint64_t users;   /* memory: attachments; FIFOs, sockets, nonet's own: how many processes that could be seen
			       have it open */
	uint64_t waiters; /* semaphores, locks, nonet's own: who sleeps for it, or has armed its descriptor */
	int64_t created;  /* CLOCK_REALTIME, in nanoseconds: when it was made, or its owner or mode changed last */
	int64_t used;     /* the same: when something was sent, taken or attached last */
	uint32_t publishers, subscribers; /* channels: how many there are who live; who only looks on isn't known */
	uint32_t clients, servers;        /* channels for calls: how many there are who live */
};

/* Of whom nothing is shown, so that it can't even be counted. */
#define NONET_INSPECT_HIDES_PROCESSES 1u /* those of other users, by /proc's mount option hidepid= */
#define NONET_INSPECT_HIDES_OUTSIDE   2u /* those outside of our PID namespace, and their classic locks and flocks */

/* What couldn't be looked at: an object or a user of one may be there. */
struct nonet_inspect_coverage {
	uint64_t processes;  /* that there were */
	uint64_t unreadable; /* of these, whose descriptors only others may see */
	uint64_t places;     /* directories and tables not read, or not before the deadline; locks without a path */
	uint32_t no_queues;  /* 1: POSIX queues are shown only where mqueue is mounted, or to who may mount it */
	uint32_t hidden;     /* NONET_INSPECT_HIDES_PROCESSES, _HIDES_OUTSIDE */
};

/* A domain: a directory with nonet's own objects. */
struct nonet_inspect_domain {
	const char *path;
	uint32_t flags; /* NONET_INSPECT_DAMAGED: nobody can be a member of it */
	uint32_t mode;  /* of the directory: permissions */
	uint32_t owner, group;
	uint64_t members; /* processes that live */
	uint64_t objects; /* of kinds that this library knows */
	uint64_t bytes;   /* of memory that its files take */
	int64_t created;  /* CLOCK_REALTIME, in nanoseconds; 0: not known */
};

struct nonet_inspect_list;

/* For @schemes: bit 1 << scheme. */
#define NONET_INSPECT_SCHEME(scheme) ((uint64_t)1 << (scheme))
#define NONET_INSPECT_ALL            (~(uint64_t)0)

/**
 * nonet_inspect_objects() - which objects there are
 * @schemes:  NONET_INSPECT_SCHEME() of each wanted kind, or NONET_INSPECT_ALL; kinds that can't be listed are ignored
 * @deadline: when to stop walking directories and processes; what wasn't reached is counted as not seen
 * @ret_list: in the order of kinds and names, freed with nonet_inspect_free()
 * @reterr:   NULL, or where to put the sentence
 *
 * Listed are posixmq: posixsem: posixshm: sysvmsg: sysvsem: sysvshm: of the caller's IPC namespace and /dev/shm; unix:
 * unix-seqpacket: unix-dgram: that are bound in the caller's network namespace; fifo: that some process has open; and
 * of both the names below /run, /tmp, /var/tmp and /dev/shm that nobody has open; the file locks that somebody has, as
 * ofdlock: posixlock: flock: with the path by which a holder knows the file, each once, with one of its holders. A lock
 * whose path nobody tells who may be looked into is counted in the coverage's places. And nonet's own, as mutex:, of
 * the domains that are /dev/shm/nonet-*, and that which NONET_DOMAIN names: who looks becomes no member.
 *
 * It isn't a snapshot: objects come and go meanwhile.
 *
 * Return: 0, or
 *   -ENOMEM, -EMFILE, -ENFILE   no memory, no descriptors
 *   -ENOENT      /proc isn't mounted
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_inspect_objects(uint64_t schemes, nonet_time deadline,
							struct nonet_inspect_list **ret_list,
							struct nonet_error *reterr);

/** nonet_inspect_count() - how many objects are in a list */
NONET_PUBLIC size_t nonet_inspect_count(const struct nonet_inspect_list *list);

/** nonet_inspect_get() - object number @index of a list, owned by it; NULL behind its end */
NONET_PUBLIC const struct nonet_inspect_object *nonet_inspect_get(const struct nonet_inspect_list *list, size_t index);

/**
 * nonet_inspect_get_domain() - domain number @index of those that were looked into, owned by the list
 *
 * Only if one of nonet's own kinds was wanted. Return: NULL behind the last.
 */
NONET_PUBLIC const struct nonet_inspect_domain *nonet_inspect_get_domain(const struct nonet_inspect_list *list,
									 size_t index);

/** nonet_inspect_get_coverage() - what wasn't seen when a list was made; owned by the list */
NONET_PUBLIC const struct nonet_inspect_coverage *nonet_inspect_get_coverage(const struct nonet_inspect_list *list);

/**
 * nonet_inspect_free() - forget a list
 * @list: may be NULL
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_inspect_list *nonet_inspect_free(struct nonet_inspect_list *list);

/* A process and a lock. */
struct nonet_inspect_holder {
	int32_t pid;     /* as /proc numbers it; 0: nobody that we can see, though the kernel has the lock */
	uint32_t waits;  /* 0: has it, 1: waits for it */
	uint32_t scheme; /* NONET_SCHEME_OFDLOCK, _POSIXLOCK or _FLOCK */
	uint32_t mode;   /* NONET_FILELOCK_SHARED or _EXCLUSIVE */
	int64_t start;   /* in bytes */
	int64_t length;  /* in bytes; 0: to the end of the file, however it grows */
	char name[16];   /* of the process, ends with NUL; empty if it isn't known */
};

/* Flags of struct nonet_inspect_options: none yet. */
struct nonet_inspect_options {
	uint32_t size;        /* sizeof(struct nonet_inspect_options) */
	uint32_t flags;       /* zero */
	uint64_t reserved[2]; /* zero */
};

struct nonet_inspect_holders;

/**
 * nonet_inspect_holders() - find out who has a file lock, and who waits for it
 * @address:     ofdlock:, posixlock: or flock:, see nonet(7)
 * @options:     or NULL
 * @deadline:    when to stop looking; what was found until then is told
 * @ret_holders: freed with nonet_inspect_holders_free()
 * @reterr:      NULL, or where to put the sentence
 *
 * Of ofdlock: and posixlock: both kinds are told, as they exclude each other, where they overlap the address's range. A
 * process is told once for each lock, however many descriptors it has of it. Who has got a descriptor by fork() or over
 * a socket has what is locked by it, of ofdlock: and flock:; so several processes may have one exclusive lock.
 *
 * Return: 0, or
 *   -EINVAL      @address isn't an address; bad @options
 *   -EOPNOTSUPP  @address isn't of a file lock
 *   -ENOENT      no such file; or no /proc
 *   -ENOSPC      in a chroot: no inotify watch is left
 *   -EACCES, -EPERM, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE, -ENOMEM   as open(2); -EACCES also: in
 *                a chroot only who may read the file is told
 * Context: any thread; not in a signal handler.
 * Source: /proc/locks; fdinfo, mountinfo, task/TID/syscall and task/TID/mem in /proc/PID; in a chroot, whose mountinfo
 *         lacks the file's mount, inotify_add_watch(2) for the device.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_inspect_holders(const char *address,
							const struct nonet_inspect_options *options,
							nonet_time deadline, struct nonet_inspect_holders **ret_holders,
							struct nonet_error *reterr);

/** nonet_inspect_holders_count() - how many were found, waiting ones included. */
NONET_PUBLIC size_t nonet_inspect_holders_count(const struct nonet_inspect_holders *holders);

/**
 * nonet_inspect_holders_get() - one of them
 * @holders: what was found
 * @index:   below the count; those who have it come before those who wait
 *
 * Return: owned by @holders; NULL if @index isn't below the count.
 */
NONET_PUBLIC const struct nonet_inspect_holder *nonet_inspect_holders_get(const struct nonet_inspect_holders *holders,
									  size_t index);

/** nonet_inspect_holders_coverage() - what wasn't seen: if the deadline cut it short, it counts a place. Owned by
 * @holders. */
NONET_PUBLIC const struct nonet_inspect_coverage *nonet_inspect_holders_coverage(
	const struct nonet_inspect_holders *holders);

/** nonet_inspect_holders_free() - forget them; NULL is allowed. Return: NULL. */
NONET_PUBLIC struct nonet_inspect_holders *nonet_inspect_holders_free(struct nonet_inspect_holders *holders);

/* A process, or one of its threads, that has to do with one of nonet's own objects. */
struct nonet_inspect_member {
	int32_t pid;     /* in the caller's PID namespace; 0: in another, or dead */
	int32_t thread;  /* of who holds it or waits: its thread id; 0 as @pid, and if it is the whole process: who has
			    permits, or waits by a descriptor */
	uint32_t member; /* of the domain */
	uint32_t flags;  /* NONET_INSPECT_HOLDS and so on */
	int64_t since;   /* CLOCK_REALTIME, in nanoseconds; 0: not known. Holds: had it then, noted once somebody had to
			    wait. Waits: since then. Has it open: a member of the domain since then */
	char name[24];   /* of the process, as it said; ends with NUL */
	uint32_t permits; /* of a semaphore: that it holds; else 0 */
	uint32_t reserved;
};

#define NONET_INSPECT_HOLDS 1u
#define NONET_INSPECT_WAITS 2u
#define NONET_INSPECT_OPEN  4u /* has it open */
#define NONET_INSPECT_DEAD  8u /* held it when he died: who it was isn't known any more */

/* One of the last operations on an object that was made to trace them. */
struct nonet_inspect_operation {
	int64_t when;     /* CLOCK_REALTIME, in nanoseconds */
	int32_t pid;      /* as the process numbers itself */
	uint32_t thread;  /* the number of its slot in the domain */
	const char *what; /* "locked"; owned by the library; "?" if it is damaged */
	uint64_t value;   /* the kind's own */
};

struct nonet_inspect_state;

/**
 * nonet_inspect_state() - all that is known of one of nonet's own objects
 * @address:   mutex:, rwlock:, condition:, event:, semaphore: or channel:
 * @options:   or NULL
 * @deadline:  when to stop looking; what was found until then is told
 * @ret_state: freed with nonet_inspect_state_free()
 * @reterr:    NULL, or where to put the sentence
 *
 * Who looks becomes no member of the domain, writes nothing and keeps nobody waiting. What members say of themselves
 * isn't checked; who is alive is.
 *
 * Return: 0, also if the object is damaged; or
 *   -EINVAL      @address isn't an address; bad @options
 *   -EOPNOTSUPP  @address isn't of one of nonet's own objects, or of a kind that isn't there yet
 *   -ENOENT      there is none, or no such domain
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE, -ENOMEM   as open(2)
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_inspect_state(const char *address, const struct nonet_inspect_options *options,
						      nonet_time deadline, struct nonet_inspect_state **ret_state,
						      struct nonet_error *reterr);

/** nonet_inspect_state_object() - what nonet_inspect_objects() tells of it; owned by @state */
NONET_PUBLIC const struct nonet_inspect_object *nonet_inspect_state_object(const struct nonet_inspect_state *state);

/**
 * nonet_inspect_state_member() - number @index of those who hold it, then wait for it, then have it open
 *
 * Return: owned by @state; NULL behind the last.
 */
NONET_PUBLIC const struct nonet_inspect_member *nonet_inspect_state_member(const struct nonet_inspect_state *state,
									   size_t index);

/**
 * nonet_inspect_state_operation() - number @index of the last operations, the oldest first
 *
 * Return: owned by @state; NULL behind the last, and where none are traced.
 */
NONET_PUBLIC const struct nonet_inspect_operation *nonet_inspect_state_operation(
	const struct nonet_inspect_state *state, size_t index);

/* What a channel was made to be, and how many publishers it has had. */
struct nonet_inspect_channel {
	uint32_t policy;      /* enum nonet_channel_policy */
	uint32_t publishers;  /* that there may be at once: so many lanes */
	uint32_t subscribers; /* that there may be at once */
	uint32_t clients;     /* that there may be at once, where it is for calls, else 0: see nonet_inspect_lane */
	uint64_t lane;        /* bytes of a lane */
	uint64_t lives;       /* publishers that there ever were */
};

/* Flags of lanes and subscribers. */
#define NONET_INSPECT_TAKEN   1u /* somebody has it; who isn't alive may be somebody whom the deadline cut off */
#define NONET_INSPECT_ALIVE   2u /* and lives */
#define NONET_INSPECT_BLOCKED 4u /* lane: its publisher sleeps until subscribers have read on */
#define NONET_INSPECT_ABOUT   8u /* lane: it goes on so fast that position and messages are at least those told */
#define NONET_INSPECT_UNREADABLE                                                            \
	16u /* lane: its records were found damaged: position and messages are those before \
	     */

/*
 * A lane of a channel. Where that is for calls of N clients, client I sends its requests in lane I and gets its replies
 * in lane N + I; nothing is in lane 2 * N, which is taken by the server.
 */
struct nonet_inspect_lane {
	uint32_t flags;  /* NONET_INSPECT_TAKEN and so on */
	int32_t pid;     /* of its publisher, if he lives, in the caller's PID namespace; 0: of another */
	uint32_t member; /* the same, in the domain */
	uint32_t reserved;
	uint64_t publisher; /* whose messages were published last: the number among all that there ever were; 0: nobody
			     */
	uint64_t floor;     /* bytes that were ever published in it before those that can still be read */
	uint64_t position;  /* bytes that were ever published in it, headers included */
	uint64_t messages;  /* that were ever published in it */
	char name[24];      /* of the publisher's process, as it said; ends with NUL */
};

/* Of a channel one who reads it. */
struct nonet_inspect_subscriber {
	uint32_t flags; /* NONET_INSPECT_TAKEN, _ALIVE */
	int32_t pid;    /* as a lane's */
	uint32_t member;
	uint32_t seat; /* its number among the channel's places */
	uint64_t lost; /* messages that it was too slow for */
	char name[24];
};

/* How far a subscriber is behind in a lane. */
struct nonet_inspect_lag {
	uint64_t bytes;    /* published and not yet read, headers included */
	uint64_t messages; /* the same; only if @known */
	uint32_t known;    /* 1, or 0: it was overtaken, or wasn't found in time */
	uint32_t reserved;
};

/**
 * nonet_inspect_state_channel() - of a channel what it was made to be
 *
 * Return: owned by @state; NULL if it isn't a channel, is damaged, or may not be read.
 */
NONET_PUBLIC const struct nonet_inspect_channel *nonet_inspect_state_channel(const struct nonet_inspect_state *state);

/**
 * nonet_inspect_state_lane() - of a channel lane number @index
 *
 * Return: owned by @state; NULL behind the last.
 */
NONET_PUBLIC const struct nonet_inspect_lane *nonet_inspect_state_lane(const struct nonet_inspect_state *state,
								       size_t index);

/**
 * nonet_inspect_state_subscriber() - of a channel number @index of those who read it, the dead included
 *
 * Return: owned by @state; NULL behind the last.
 */
NONET_PUBLIC const struct nonet_inspect_subscriber *nonet_inspect_state_subscriber(
	const struct nonet_inspect_state *state, size_t index);

/**
 * nonet_inspect_state_lag() - how far behind a subscriber is
 * @state:      of a channel
 * @lane:       as for nonet_inspect_state_lane()
 * @subscriber: as for nonet_inspect_state_subscriber()
 *
 * Return: owned by @state; NULL if it doesn't read this lane, or there is no such one.
 */
NONET_PUBLIC const struct nonet_inspect_lag *nonet_inspect_state_lag(const struct nonet_inspect_state *state,
								     size_t lane, size_t subscriber);

/** nonet_inspect_state_coverage() - what wasn't seen: a deadline that cut it short counts a place. Owned by @state. */
NONET_PUBLIC const struct nonet_inspect_coverage *nonet_inspect_state_coverage(const struct nonet_inspect_state *state);

/** nonet_inspect_state_free() - forget it; NULL is allowed. Return: NULL. */
NONET_PUBLIC struct nonet_inspect_state *nonet_inspect_state_free(struct nonet_inspect_state *state);

NONET_END_DECLS

#endif
