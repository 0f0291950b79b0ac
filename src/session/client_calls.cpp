#include "session/client_calls.hpp"

#include <algorithm>

namespace relay {

std::optional<ClientCalls::Refusal> ClientCalls::refusal(ClientId client,
                                                         std::string_view id) const {
  const auto live = live_.find(client);
  if (live == live_.end()) return std::nullopt;
  for (const Live& call : live->second) {
    if (call.id == id) return Refusal::kDuplicateId;
  }
  if (live->second.size() >= max_per_client_) return Refusal::kTooMany;
  return std::nullopt;
}

void ClientCalls::add(std::int64_t relay_id, ClientCall call) {
  call.relay_id = relay_id;
  live_[call.client].push_back({call.id, relay_id});
  calls_.emplace(relay_id, std::move(call));
}

std::optional<ClientCall> ClientCalls::take(std::int64_t relay_id) {
  const auto found = calls_.find(relay_id);
  if (found == calls_.end()) return std::nullopt;
  ClientCall call = std::move(found->second);
  calls_.erase(found);
  if (const auto live = live_.find(call.client); live != live_.end()) {
    auto& calls = live->second;
    const auto at = std::find_if(calls.begin(), calls.end(),
                                 [&](const Live& one) { return one.relay_id == relay_id; });
    if (at != calls.end()) {
      if (at + 1 != calls.end()) *at = std::move(calls.back());
      calls.pop_back();
    }
  }
  return call;
}

const ClientCall* ClientCalls::find(std::int64_t relay_id) const {
  const auto found = calls_.find(relay_id);
  return found != calls_.end() ? &found->second : nullptr;
}

std::optional<std::int64_t> ClientCalls::only_one_but(
    const std::function<bool(std::int64_t)>& is_left_out) const {
  std::optional<std::int64_t> found;
  for (const auto& [relay_id, call] : calls_) {
    if (is_left_out(relay_id)) continue;
    if (found) return std::nullopt;
    found = relay_id;
  }
  return found;
}

std::optional<std::int64_t> ClientCalls::relay_id(ClientId client, std::string_view id) const {
  const auto live = live_.find(client);
  if (live == live_.end()) return std::nullopt;
  for (const Live& call : live->second) {
    if (call.id == id) return call.relay_id;
  }
  return std::nullopt;
}

bool ClientCalls::waits(std::string_view id) const {
  return std::ranges::any_of(calls_, [id](const auto& entry) { return entry.second.id == id; });
}

std::vector<ClientCall> ClientCalls::take_all() {
  std::vector<std::int64_t> ids;
  ids.reserve(calls_.size());
  for (const auto& [id, call] : calls_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());  // in the order in which they were asked
  std::vector<ClientCall> all;
  for (const std::int64_t id : ids) {
    if (auto call = take(id)) all.push_back(std::move(*call));
  }
  return all;
}

}  // namespace relay
