#include "session/client_calls.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"

#include <algorithm>
#include <utility>

namespace relay {
namespace {

// The id is kept twice while its client is there.
std::size_t bytes_of_call(const ClientCall& call) {
  return ClientCalls::kCallBytes + 2 * call.id.size() + call.mode.size();
}

}  // namespace

ClientCall client_call(ClientId client, std::string_view id, std::string_view method,
                       std::string_view params) {
  ClientCall call{client, std::string(id)};
  if (method == acp::kSetMode) {
    call.changes = ClientCall::Changes::kMode;
    const std::string_view mode = object_member(params, "modeId").value_or("");
    if (mode.size() <= kLongestMode) call.mode = mode;
  } else if (method == acp::kSetOption) {
    call.changes = ClientCall::Changes::kOptions;
  }
  call.is_prompt = method == acp::kPrompt;
  return call;
}

std::optional<ClientCalls::Refusal> ClientCalls::refusal(const ClientCall& call) const {
  if (relay_id(call.client, call.id)) return Refusal::kDuplicateId;
  const auto live = live_.find(call.client);
  if (live != live_.end() && live->second.size() >= max_per_client_) return Refusal::kTooMany;
  if (bytes_of_call(call) > bytes_.most() - bytes_.used()) return Refusal::kNoRoom;
  return std::nullopt;
}

void ClientCalls::add(std::int64_t relay_id, ClientCall call) {
  call.relay_id = relay_id;
  if (call.client == kGoneClient && !call.is_prompt) {
    keep_left(call);
  } else {
    call.has_room = bytes_.take(bytes_of_call(call));
  }
  if (call.client != kGoneClient) live_[call.client].push_back({call.id, relay_id});
  calls_.emplace(relay_id, std::move(call));
}

void ClientCalls::keep_left(const ClientCall& call) {
  left_.insert(call.relay_id);
  left_bytes_ += bytes_of_call(call);
}

std::vector<std::string> ClientCalls::ids(ClientId client) const {
  std::vector<std::string> ids;
  const auto live = live_.find(client);
  if (live == live_.end()) return ids;
  for (const Live& one : live->second) ids.push_back(one.id);
  return ids;
}

std::vector<ClientCall> ClientCalls::client_left(ClientId client) {
  if (const auto live = live_.find(client); live != live_.end()) {
    for (const Live& one : live->second) {
      ClientCall& call = calls_.at(one.relay_id);
      call.client = kGoneClient;
      if (call.is_prompt) continue;
      if (std::exchange(call.has_room, false)) bytes_.give(bytes_of_call(call));
      keep_left(call);
    }
    live_.erase(live);
  }
  std::vector<ClientCall> forgotten;
  while (left_.size() > max_per_client_ || left_bytes_ > bytes_.most()) {
    forgotten.push_back(*take(*left_.begin()));
  }
  return forgotten;
}

std::optional<ClientCall> ClientCalls::take(std::int64_t relay_id) {
  const auto found = calls_.find(relay_id);
  if (found == calls_.end()) return std::nullopt;
  ClientCall call = std::move(found->second);
  calls_.erase(found);
  if (call.has_room) bytes_.give(bytes_of_call(call));
  if (left_.erase(relay_id) > 0) left_bytes_ -= bytes_of_call(call);
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
