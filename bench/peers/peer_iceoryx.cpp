/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <cerrno>
#include <cstdio>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <iceoryx_versions.hpp>
#include <memory>

/*
 * iceoryx: loaned, published, taken in place and released, and looked for all the time. Its daemon, iox-roudi, has to
 * run: run.sh sees to that. It blocks a publisher whose subscriber is slow, as both ask for.
 */
namespace
{
struct end {
	std::unique_ptr<iox::popo::UntypedPublisher> out;
	std::unique_ptr<iox::popo::UntypedSubscriber> in;
	uint32_t size;
};

void version(char *text, size_t room)
{
	std::snprintf(text, room, "iceoryx %s", ICEORYX_LATEST_RELEASE_VERSION);
}

iox::capro::IdString_t name(const char *text)
{
	return iox::capro::IdString_t(iox::cxx::TruncateToCapacity, text);
}

int open(const peer_session *session, void **ret_end)
{
	const iox::capro::ServiceDescription out{name("nonet"), name(session->name), name(session->side ? "b" : "a")};
	const iox::capro::ServiceDescription in{name("nonet"), name(session->name), name(session->side ? "a" : "b")};
	iox::popo::PublisherOptions publishing;
	iox::popo::SubscriberOptions reading;
	char runtime[96];

	iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kWarn);
	std::snprintf(runtime, sizeof(runtime), "%s-%c", session->name, session->side ? 'b' : 'a');
	iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, runtime));
	publishing.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
	reading.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
	reading.queueCapacity = peer_slots(session->size) < 256 ? peer_slots(session->size) : 256;

	auto opened = std::make_unique<end>();

	opened->size = static_cast<uint32_t>(session->size);
	opened->out = std::make_unique<iox::popo::UntypedPublisher>(out, publishing);
	opened->in = std::make_unique<iox::popo::UntypedSubscriber>(in, reading);
	*ret_end = opened.release();
	return 0;
}

/* What is published before the daemon has brought the two together is lost. */
int join(void *handle)
{
	auto *mine = static_cast<end *>(handle);

	while (!mine->out->hasSubscribers() || mine->in->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)
		peer_relax();
	return 0;
}

int send(void *handle, void *message, size_t count)
{
	auto *mine = static_cast<end *>(handle);

	for (size_t i = 0; i < count; i++) {
		bool published = false;

		peer_next(message);
		while (!published) {
			mine->out->loan(mine->size)
				.and_then([&](void *room) {
					peer_copy(room, message, mine->size);
					mine->out->publish(room);
					published = true;
				})
				.or_else([](auto &) { peer_relax(); });
		}
	}
	return 0;
}

int receive(void *handle, peer_reader *reader, size_t count)
{
	auto *mine = static_cast<end *>(handle);

	for (size_t i = 0; i < count; i++) {
		bool taken = false;

		while (!taken) {
			mine->in->take()
				.and_then([&](const void *data) {
					peer_take(reader, data, mine->size);
					mine->in->release(data);
					taken = true;
				})
				.or_else([](auto &) { peer_relax(); });
		}
	}
	return 0;
}

void close(void *handle)
{
	delete static_cast<end *>(handle);
}
} // namespace

const peer nonet_peer = {
	"polls, loans in place, waits for a slow subscriber", version, open, join, send, receive, close,
};
