/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <vector>

/* Boost.Interprocess: a message_queue for each direction, tried again and again; it knows nothing but copies. */
namespace
{
namespace ipc = boost::interprocess;

struct end {
	std::unique_ptr<ipc::message_queue> out;
	std::unique_ptr<ipc::message_queue> in;
	std::vector<char> buffer;
	std::string made; /* whose name is removed in the end; empty: nobody's */
};

void version(char *text, size_t room)
{
	std::snprintf(text, room, "Boost %d.%d.%d", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
		      BOOST_VERSION % 100);
}

/* Its errors are exceptions, with the errno that there was. */
template <typename Call> int guarded(Call call)
{
	try {
		return call();
	} catch (const ipc::interprocess_exception &failure) {
		std::fprintf(stderr, "Boost: %s\n", failure.what());
		return failure.get_native_error() ? -failure.get_native_error() : -EIO;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

std::unique_ptr<ipc::message_queue> queue(const peer_session *session, int from)
{
	const std::string name = std::string(session->name) + (from ? "-b" : "-a");

	if (session->side)
		return std::make_unique<ipc::message_queue>(ipc::open_only, name.c_str());
	return std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), peer_slots(session->size),
						    session->size, ipc::permissions(0600));
}

int open(const peer_session *session, void **ret_end)
{
	return guarded([&] {
		auto opened = std::make_unique<end>();

		opened->buffer.resize(session->size);
		opened->out = queue(session, session->side);
		opened->in = queue(session, !session->side);
		if (session->side == 0)
			opened->made = session->name;
		*ret_end = opened.release();
		return 0;
	});
}

int send(void *handle, void *message, size_t count)
{
	auto *mine = static_cast<end *>(handle);

	return guarded([&] {
		for (size_t i = 0; i < count; i++) {
			peer_next(message);
			while (!mine->out->try_send(message, mine->buffer.size(), 0))
				peer_relax();
		}
		return 0;
	});
}

int receive(void *handle, peer_reader *reader, size_t count)
{
	auto *mine = static_cast<end *>(handle);

	return guarded([&] {
		for (size_t i = 0; i < count; i++) {
			ipc::message_queue::size_type size;
			unsigned priority;

			while (!mine->in->try_receive(mine->buffer.data(), mine->buffer.size(), size, priority))
				peer_relax();
			if (size != mine->buffer.size())
				return -EPROTO;
			peer_take(reader, mine->buffer.data(), size);
		}
		return 0;
	});
}

void close(void *handle)
{
	auto *mine = static_cast<end *>(handle);
	const std::string made = mine ? mine->made : "";

	delete mine;
	if (!made.empty()) {
		ipc::message_queue::remove((made + "-a").c_str());
		ipc::message_queue::remove((made + "-b").c_str());
	}
}
} // namespace

const peer nonet_peer = {
	"polls, message_queue, copied in and out", version, open, nullptr, send, receive, close,
};
