#include "session/session_ids.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/relay_ids.hpp"

namespace relay {

SessionIds::SessionIds(const SessionId& relay_session, std::string_view agent_session,
                       std::size_t max_children)
    : relay_(json_string(relay_session.value())),
      agent_('"' + std::string(agent_session) + '"'),
      watched_(agent_session.size() >= kUnmistakableId ? agent_ : std::string()),
      child_prefix_(relay_session.value() + kChildMark),
      max_children_(max_children) {}

SessionIds::Bound SessionIds::observe(const Frame& notification) {
  if (notification.update_kind() != acp::kSubagentUpdate || notification.method() != acp::kUpdate) {
    return Bound::kNothing;
  }
  const auto update = object_member(notification.params(), "update");
  return bind(object_member(update.value_or(""), "sessionId").value_or(""));
}

SessionIds::Bound SessionIds::bind(std::string_view agent_json) {
  const bool usable = agent_json.size() > 2 && agent_json.size() <= kLongestChild + 2 &&
                      agent_json.front() == '"' && agent_json != agent_;
  if (!usable || children_.contains(agent_json)) return Bound::kNothing;
  if (children_.size() >= max_children_) return Bound::kTooMany;
  children_.emplace(agent_json);
  return Bound::kBound;
}

void SessionIds::restore_child(std::string_view relay_json) {
  if (relay_json.size() < 2 || !relay_json.substr(1).starts_with(child_prefix_)) return;
  bind(child_for_agent(relay_json.substr(1, relay_json.size() - 2)));
}

std::string SessionIds::child_for_agent(std::string_view relay_id) const {
  return '"' + std::string(relay_id.substr(child_prefix_.size())) + '"';
}

void SessionIds::to_clients(const Frame& frame, Edits& edits) const {
  translate_session(frame, agent_, relay_, edits);
  if (children_.empty()) return;
  for (const Span& reference : frame.envelope().session_references) {
    if (children_.contains(frame.text(reference))) {
      edits.push_back({{reference.offset + 1, 0}, child_prefix_});
    }
  }
}

void SessionIds::to_agent(const Frame& frame, Edits& edits) const {
  translate_session(frame, relay_, agent_, edits);
  for (const Span& reference : frame.envelope().session_references) {
    if (frame.text(reference).substr(1).starts_with(child_prefix_)) {
      edits.push_back({{reference.offset + 1, child_prefix_.size()}, {}});
    }
  }
}

}  // namespace relay
