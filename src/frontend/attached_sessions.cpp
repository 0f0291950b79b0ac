#include "frontend/attached_sessions.hpp"

#include "protocol/acp.hpp"

#include <algorithm>
#include <charconv>

namespace relay::frontend {
namespace {

bool is_closed(const AttachedSessions::One& one) {
  return one.session->state() == SessionState::kClosed;
}

}  // namespace

Result<ClientId> AttachedSessions::attach(const std::shared_ptr<Session>& session,
                                          Attachment attachment, Chosen chosen) {
  const std::string& id = session->id().value();
  if (const One* before = find(id)) attachment.in_place_of = before->client;
  auto client = session->attach(std::move(attachment));
  if (!client) return client.error();
  // The current one may go on with the next prompt that names none.
  std::erase_if(sessions_, [this](const auto& entry) {
    return entry.first != current_ && is_closed(entry.second);
  });
  sessions_[id] = {session, *client};
  if (chosen == Chosen::kYes) current_ = id;
  return *client;
}

void AttachedSessions::detach_all() {
  for (const auto& [id, one] : sessions_) one.session->detach(one.client);
  sessions_.clear();
  current_.clear();
}

void AttachedSessions::forget_closed() {
  std::erase_if(sessions_, [](const auto& entry) { return is_closed(entry.second); });
  if (!sessions_.contains(current_)) current_.clear();
}

std::shared_ptr<Session> AttachedSessions::session(std::string_view id) const {
  const auto found = sessions_.find(id);
  const bool is_ready =
      found != sessions_.end() && found->second.session->state() == SessionState::kReady;
  return is_ready ? found->second.session : nullptr;
}

const AttachedSessions::One* AttachedSessions::find(std::string_view id) const {
  const auto found = session(id);
  if (found == nullptr) return nullptr;
  const One& one = sessions_.find(id)->second;
  return found->has_client(one.client) ? &one : nullptr;
}

bool AttachedSessions::hears(std::string_view id) const {
  const auto found = sessions_.find(id);
  return found != sessions_.end() && found->second.session->has_client(found->second.client);
}

const AttachedSessions::One* AttachedSessions::find_for(const Frame& frame,
                                                        std::string_view id) const {
  const One* const one = find(id);
  const bool is_too_late =
      one != nullptr && frame.method() == acp::kPrompt && one->session->is_ending();
  return is_too_late ? nullptr : one;
}

void AttachedSessions::route_response(Frame frame) const {
  std::int64_t request = 0;
  const std::string_view id = frame.id();
  const auto [end, failure] = std::from_chars(id.data(), id.data() + id.size(), request);
  if (failure != std::errc() || end != id.data() + id.size()) return;
  for (const auto& [name, one] : sessions_) {
    if (!one.session->was_asked(request, one.client)) continue;
    return one.session->submit(one.client, std::move(frame));
  }
}

bool AttachedSessions::route_cancel(Frame& frame, std::string_view preferred) const {
  const auto has_it = [&frame](const auto& entry) {
    return entry.second.session->has_request(entry.second.client, frame.request_id());
  };
  auto found = sessions_.find(preferred);
  if (found == sessions_.end() || !has_it(*found)) {
    found = std::find_if(sessions_.begin(), sessions_.end(), has_it);
  }
  if (found == sessions_.end()) return false;
  found->second.session->submit(found->second.client, std::move(frame));
  return true;
}

}  // namespace relay::frontend
