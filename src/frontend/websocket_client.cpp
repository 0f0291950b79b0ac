#include "base/finally.hpp"
#include "frontend/log_room.hpp"
#include "frontend/relay_websocket.hpp"
#include "protocol/acp.hpp"
#include "protocol/frames.hpp"
#include "protocol/json_text.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/rpc.hpp"

#include <array>

namespace relay::frontend {
namespace {

// Methods that the relay answers itself; everything else goes to the agent.
bool is_relay_method(std::string_view method) {
  constexpr std::array<std::string_view, 10> kRelayMethods{
      "initialize",   "session/new",     "session/fork",  "session/resume", "session/load",
      "session/list", "session/history", "session/close", "session/delete", "session/respond"};
  for (const std::string_view own : kRelayMethods) {
    if (method == own) return true;
  }
  return false;
}

Error no_session(std::string_view method) {
  if (method == "authenticate") {
    return make_error(ErrorType::kInvalidParams, "authenticate needs a session here")
        .because("it is the agent that is logged in, and each session has one of its own")
        .suggest("call session/new first, then authenticate")
        .suggest("give the agent its key with agent.env")
        .suggest("connect to /acp, where authenticate comes before a session");
  }
  return make_error(ErrorType::kInvalidParams, std::string(method) + " needs a sessionId")
      .because("this connection has no session yet")
      .suggest("call session/new or session/resume first, or send sessionId");
}

}  // namespace

WebSocketClient::WebSocketClient(RelayApi& api, Metrics& metrics,
                                 const WebSocketFrontendOptions& options, http::WebSocket& socket,
                                 http::Principal principal, asio::any_io_executor executor)
    : api_(api),
      metrics_(metrics),
      options_(options),
      socket_(socket),
      principal_(std::move(principal)),
      scope_(executor, ignore_failure),
      outbox_(std::make_shared<Outbox>(executor, options.outbox, metrics.slow_clients)),
      budget_(options.max_running_calls, options.outbox.bytes) {
  outbox_->when_overflowing([this] {
    metrics_.count_error(fell_behind());
    std::string reason = "slow_client";
    // With several sessions the number could be any one's.
    if (sessions_.size() == 1) {
      reason += ": resume after " + std::to_string(outbox_->last_taken());
    }
    scope_.spawn("close slow client",
                 [this, reason] { return socket_.close(http::CloseCode::kPolicy, reason); });
  });
}

Task<void> WebSocketClient::run() {
  auto serving = failure_of(serve());
  const auto failure = co_await std::move(serving);
  outbox_->when_overflowing({});
  outbox_->close();
  sessions_.detach_all();
  scope_.cancel();
  co_await scope_.join();
  sessions_.detach_all();  // a call that was ending may have attached once more
  if (failure) std::rethrow_exception(failure);
}

Task<void> WebSocketClient::serve() {
  scope_.spawn("write", [this] { return write(); });
  while (true) {
    auto texts = co_await socket_.receive();
    if (texts.empty()) co_return;
    wake_together([&] {
      for (std::string& text : texts) {
        for (auto& frame : parse_frames(std::move(text), options_.frame)) take(std::move(frame));
      }
    });
    if (!api_.sessions().log_is_behind()) continue;
    const bool goes_on = co_await log_room(api_.sessions(), socket_);
    if (!goes_on) co_return;
  }
}

Task<void> WebSocketClient::write() {
  std::vector<Delivery> items;
  std::vector<std::string_view> texts;
  while (true) {
    const bool open = co_await outbox_->pop_all(items);
    if (!open) co_return;
    texts.clear();
    for (const Delivery& item : items) texts.push_back(item.bytes.view());
    const auto sent = co_await socket_.send(texts);
    if (!sent) co_return;
  }
}

void WebSocketClient::reply(std::string text) {
  outbox_->push({SharedBytes(std::move(text)), 0, DeliveryKind::kResponse});
}

void WebSocketClient::refuse(std::string_view id, const Error& error) {
  metrics_.count_error(error);
  reply(rpc::error(id, error, rpc::Dialect::kRelay));
}

void WebSocketClient::take(tl::expected<Frame, FrameError> frame) {
  if (!frame) return refuse(frame.error().id, rpc::to_error(frame.error()));
  route(std::move(*frame));
}

void WebSocketClient::route(Frame frame) {
  if (frame.is_response()) return sessions_.route_response(std::move(frame));
  if (is_relay_method(frame.method())) {
    // A notification can't be answered, and these do nothing else.
    if (frame.kind() == FrameKind::kRequest) start_call(std::move(frame));
    return;
  }
  if (frame.method() == acp::kPing) {
    if (frame.kind() == FrameKind::kRequest) reply(rpc::result(frame.id(), "{}"));
    return;
  }
  if (frame.method() == acp::kCancelRequest) return cancel_request(std::move(frame));
  const std::string id(frame.session_id().empty() ? std::string_view(sessions_.current())
                                                  : owning_session(frame.session_id()));
  if (id.empty()) {
    if (frame.kind() == FrameKind::kRequest) refuse(frame.id(), no_session(frame.method()));
    return;
  }
  to_session(id, std::move(frame));
}

// It is a notification by nature, and ids that nobody knows are no error: who sends it as a request
// gets an empty answer.
void WebSocketClient::cancel_request(Frame frame) {
  const std::string preferred(frame.session_id().empty() ? std::string_view(sessions_.current())
                                                         : owning_session(frame.session_id()));
  if (sessions_.route_cancel(frame, preferred)) return;
  if (frame.kind() == FrameKind::kRequest) reply(rpc::result(frame.id(), "{}"));
}

void WebSocketClient::to_session(std::string_view id, Frame frame) {
  if (const auto* one = sessions_.find_for(frame, id)) {
    return one->session->submit(one->client, std::move(frame));
  }
  if (!budget_.take(frame.bytes().size())) {
    if (frame.kind() == FrameKind::kRequest) {
      refuse(frame.id(), too_many_calls(options_.max_running_calls));
    }
    return;
  }
  auto kept = std::make_shared<Frame>(std::move(frame));
  scope_.spawn("attach",
               [this, name = std::string(id), kept] { return attach_and_route(name, kept); });
}

// A session that was made elsewhere may be used without resuming it first.
Task<void> WebSocketClient::attach_and_route(std::string id, std::shared_ptr<Frame> frame) {
  const Finally done([this, size = frame->bytes().size()] { budget_.give(size); });
  std::optional<Error> refused;
  const bool prompts = frame->method() == acp::kPrompt && !is_observer();
  auto finding = prompts ? api_.find_for_prompt(principal_, id, *frame) : api_.find(principal_, id);
  const auto session = co_await std::move(finding);
  if (!session) {
    refused = session.error();
  } else if (sessions_.find(id) == nullptr) {
    const auto client =
        attach(*session, is_observer(), std::nullopt, AttachedSessions::Chosen::kNo);
    if (!client) refused = client.error();
  }
  if (refused) {
    if (frame->kind() == FrameKind::kRequest) refuse(frame->id(), *refused);
    co_return;
  }
  const auto* const one = sessions_.find(id);
  if (one != nullptr) one->session->submit(one->client, std::move(*frame));
}

void WebSocketClient::start_call(Frame frame) {
  if (!budget_.take(frame.bytes().size())) {
    return refuse(frame.id(), too_many_calls(options_.max_running_calls));
  }
  auto kept = std::make_shared<Frame>(std::move(frame));
  scope_.spawn("call", [this, kept] { return call(kept); });
}

Task<void> WebSocketClient::call(std::shared_ptr<Frame> frame) {
  const Finally done([this, size = frame->bytes().size()] { budget_.give(size); });
  const std::string_view method = frame->method();
  if (method == "session/new" || method == "session/fork") {
    co_await open_session(*frame);
  } else if (method == "session/resume" || method == "session/load") {
    co_await resume_session(*frame);
  } else {
    const auto result = co_await perform(*frame);
    if (result) {
      reply(rpc::result(frame->id(), *result));
    } else {
      refuse(frame->id(), result.error());
    }
  }
}

Task<Result<std::string>> WebSocketClient::perform(const Frame& frame) {
  std::string params(frame.params());
  if (frame.method() == "initialize") co_return initialize_result();
  if (frame.method() == "session/list") {
    co_return co_await api_.list(principal_, std::move(params));
  }
  if (frame.method() == "session/history") {
    co_return co_await api_.history(principal_, std::move(params));
  }
  if (frame.method() == "session/close") {
    if (frame.session_id().empty() && !sessions_.current().empty()) {
      params = JsonObject().text("sessionId", sessions_.current()).take();
    }
    auto closed = co_await api_.close(principal_, std::move(params));
    sessions_.forget_closed();
    co_return closed;
  }
  if (frame.method() == "session/delete") {
    auto erased = co_await api_.erase(principal_, std::move(params));
    sessions_.forget_closed();
    co_return erased;
  }
  co_return make_error(ErrorType::kMethodNotFound, "answers of clients are responses here")
      .suggest("send the response to the agent's request: its id, and result or error");
}

// What the relay can say before there is an agent; afterwards the agent's own answer.
std::string WebSocketClient::initialize_result() const {
  const auto* const current = sessions_.find(sessions_.current());
  if (current != nullptr) return current->session->initialize_result();
  const std::string info =
      JsonObject().text("name", "acp-relay").text("version", RELAY_VERSION).take();
  return JsonObject()
      .number("protocolVersion", acp::kProtocolVersion)
      .raw("agentCapabilities", "{}")
      .raw("agentInfo", info)
      .raw("authMethods", "[]")
      .take();
}

Result<ClientId> WebSocketClient::attach(const std::shared_ptr<Session>& session, bool observe,
                                         std::optional<storage::Sequence> after,
                                         AttachedSessions::Chosen chosen) {
  Attachment attachment;
  attachment.traits.may_act = !observe && !is_observer();
  attachment.outbox = outbox_;
  attachment.actor = actor_of(principal_);
  attachment.after = after;
  return sessions_.attach(session, std::move(attachment), chosen);
}

// The answer comes first, then everything from the session's beginning, or from where it leaves the
// one that it was forked from: nothing the agent said while it started is missed.
Task<void> WebSocketClient::open_session(const Frame& frame) {
  const auto session = co_await api_.create(principal_, frame);
  if (!session) {
    refuse(frame.id(), session.error());
    co_return;
  }
  if (outbox_->end() != Outbox::End::kOpen) {
    RelayApi::undo(**session);
    co_return;
  }
  const auto client =
      attach(*session, false, (*session)->forked_at(), AttachedSessions::Chosen::kYes);
  if (!client) {
    refuse(frame.id(), client.error());
    co_return;
  }
  reply(rpc::result(frame.id(), RelayApi::describe(**session, *client)));
}

Task<void> WebSocketClient::resume_session(const Frame& frame) {
  const auto request = read_resume(frame.params());
  if (!request) {
    refuse(frame.id(), request.error());
    co_return;
  }
  const auto session = co_await api_.find(principal_, request->session_id);
  if (!session) {
    refuse(frame.id(), session.error());
    co_return;
  }
  const auto client =
      attach(*session, request->observe, request->after, AttachedSessions::Chosen::kYes);
  if (!client) {
    refuse(frame.id(), client.error());
    co_return;
  }
  reply(rpc::result(frame.id(), RelayApi::describe(**session, *client)));
}

}  // namespace relay::frontend
