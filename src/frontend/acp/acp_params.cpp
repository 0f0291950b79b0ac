#include "frontend/acp/acp_params.hpp"

#include "frontend/acp/acp_errors.hpp"
#include "frontend/json_params.hpp"
#include "frontend/session_facts.hpp"
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "session/handshake.hpp"

namespace relay::frontend {
namespace {

constexpr std::size_t kListPage = 100;
constexpr std::string_view kSequenceKey = "acp-relay/seq";

std::string_view member(std::string_view object, std::string_view key, std::string_view otherwise) {
  return object_member(object, key).value_or(otherwise);
}

bool has(std::string_view object, std::string_view key) {
  return object_member(object, key).has_value();
}

}  // namespace

Result<AcpInitialize> read_acp_initialize(std::string_view text) {
  JsonParams params(text);
  if (params.find("protocolVersion") == nullptr) params.fail("protocolVersion is missing");
  const auto version = params.number("protocolVersion", 1, 0);
  if (version > 65'535) params.fail("protocolVersion must be at most 65535");
  if (params.error()) return *params.error();
  AcpInitialize request;
  for (const std::string_view key : {"clientCapabilities", "clientInfo"}) {
    if (member(text, key, "").size() > kMostOfClient) return too_large(key);
  }
  const std::string_view capabilities = member(text, "clientCapabilities", "{}");
  if (capabilities.starts_with('{')) request.client_capabilities = capabilities;
  const std::string_view info = member(text, "clientInfo", "");
  if (info.starts_with('{')) request.client_info = info;
  const std::string_view meta = member(request.client_capabilities, "_meta", "{}");
  request.wants_sequences = member(meta, kSequenceKey, "false") == "true";
  return request;
}

std::string capabilities_for_agent(std::string_view client_capabilities, bool strip_disk) {
  std::string left(client_capabilities);
  if (strip_disk) {
    left = without_member(left, "fs");
    left = without_member(left, "terminal");
  }
  const std::string_view session = member(left, "session", "");
  if (has(session, "cursors")) {  // all that they are for is session/fork with a cursorId
    left = with_member(left, "session", without_member(session, "cursors"));
  }
  const std::string_view login = member(left, "auth", "");
  if (!has(login, "terminal")) return left;
  const std::string kept = without_member(login, "terminal");
  return with_member(left, "auth", kept);
}

std::string acp_initialize_result(std::string_view agent_result, const AcpOffer& offer) {
  std::string result(agent_result.starts_with('{') ? agent_result : "{}");
  std::string offered(member(result, "agentCapabilities", "{}"));
  std::string sessions(member(offered, "sessionCapabilities", "{}"));
  for (const std::string_view own : {"resume", "close"})
    sessions = with_member(sessions, own, "{}");
  for (const std::string_view own : {"list", "delete"}) {
    sessions =
        offer.keeps_messages ? with_member(sessions, own, "{}") : without_member(sessions, own);
  }
  if (!offer.forks || !can_fork(result)) sessions = without_member(sessions, "fork");
  if (offer.isolation == "container") sessions = without_member(sessions, "additionalDirectories");
  offered = with_member(offered, "sessionCapabilities", sessions);
  offered = with_member(offered, "loadSession", offer.keeps_messages ? "true" : "false");
  result = with_member(result, "agentCapabilities", offered);
  if (!has(result, "protocolVersion")) {
    result = with_member(result, "protocolVersion", std::to_string(acp::kProtocolVersion));
  }
  const std::string about =
      JsonObject()
          .text("version", RELAY_VERSION)
          .text("isolation", offer.isolation)
          .number("maxMessageBytes", static_cast<std::int64_t>(offer.max_message_bytes))
          .take();
  return with_meta(result, R"("acp-relay":)" + about);
}

Result<NewSession> read_acp_new(std::string_view text) {
  JsonParams params(text);
  NewSession request;
  request.working_directory = params.path("cwd");
  if (request.working_directory.empty()) params.fail("cwd is missing; send an absolute path");
  const auto* const servers = params.find("mcpServers");
  if (servers == nullptr || !servers->is_array()) {
    params.fail("mcpServers must be an array; it may be empty");
  }
  if (params.error()) return *params.error();
  request.session_params = text;
  return request;
}

Result<ForkRequest> read_acp_fork(std::string_view text) {
  auto id = read_forked_id(text);
  if (!id) return id.error();
  JsonParams params(text);
  ForkRequest request;
  request.session_id = std::move(*id);
  request.session.working_directory = params.path("cwd");
  if (params.error()) return *params.error();
  request.session.session_params = without_member(text, "sessionId");
  return request;
}

Result<AcpReturn> read_acp_return(std::string_view text) {
  JsonParams params(text);
  AcpReturn request;
  request.session_id = params.session_id();
  request.working_directory = params.path("cwd");
  const std::string_view meta = member(text, "_meta", "{}");
  JsonParams extensions(meta.starts_with('{') ? meta : "{}");
  if (extensions.find("acp-relay/after") != nullptr) {
    request.after = extensions.number("acp-relay/after", 0, 0);
  }
  for (const std::string_view id : array_elements(member(meta, "acp-relay/requests", "[]"))) {
    request.requests.emplace_back(id);
  }
  if (request.requests.size() > storage::kMaxAskedRequests) {
    params.fail("_meta[\"acp-relay/requests\"] has more than " +
                std::to_string(storage::kMaxAskedRequests) + " ids");
  }
  if (params.error()) return *params.error();
  if (extensions.error()) return *extensions.error();
  return request;
}

Result<storage::SessionQuery> read_acp_list(std::string_view text) {
  JsonParams params(text);
  storage::SessionQuery query;
  query.limit = kListPage;
  query.cursor = params.text("cursor");
  const std::string cwd = params.path("cwd");
  if (!cwd.empty()) query.working_directory = cwd;
  if (params.error()) return *params.error();
  return query;
}

std::string acp_session_list(const storage::SessionPage& page) {
  std::string items = "[";
  for (const storage::SessionRecord& session : page.sessions) {
    JsonObject item;
    item.text("sessionId", session.id.value()).text("cwd", session.working_directory);
    if (!session.title.empty()) item.text("title", session.title);
    item.text("updatedAt", to_rfc3339(session.updated_at));
    if (items.size() > 1) items += ',';
    items += item.take();
  }
  JsonObject result;
  result.raw("sessions", items + ']');
  if (page.next_cursor) result.text("nextCursor", *page.next_cursor);
  return result.take();
}

std::string acp_session_result(const Session& session) {
  const storage::SessionRecord& record = session.record();
  const std::string result =
      with_member(session.current_result(), "sessionId", json_string(record.id.value()));
  std::string facts = R"("acp-relay/cwd":)" + json_string(record.working_directory) +
                      R"(,"acp-relay/isolation":)" + json_string(record.isolation);
  if (!record.image.empty()) {
    facts += R"(,"acp-relay/image":)" + json_string(record.image) + R"(,"acp-relay/imageId":)" +
             json_string(record.image_id);
  }
  if (!session.network().empty()) {
    facts += R"(,"acp-relay/network":)" + json_string(session.network());
  }
  if (const std::string egress = egress_of(session); !egress.empty()) {
    facts += R"(,"acp-relay/egress":)" + egress;
  }
  if (!session.agent_remembers()) facts += R"(,"acp-relay/agentRemembers":false)";
  return with_meta(result, facts);
}

std::string with_sequence(std::string_view message, storage::Sequence sequence) {
  for (const std::string_view key : {"params", "result"}) {
    const auto value = object_member(message, key);
    if (!value || !value->starts_with('{')) continue;
    const auto at = static_cast<std::size_t>(value->data() - message.data());
    std::string out(message.substr(0, at));
    out += with_meta(*value, "\"" + std::string(kSequenceKey) + "\":" + std::to_string(sequence));
    out += message.substr(at + value->size());
    return out;
  }
  return std::string(message);
}

}  // namespace relay::frontend
