#include "base/finally.hpp"
#include "frontend/log_room.hpp"
#include "frontend/relay_websocket.hpp"
#include "protocol/acp.hpp"
#include "protocol/frames.hpp"
#include "protocol/json_text.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/rpc.hpp"

namespace relay::frontend {
namespace {

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
    const bool open = co_await outbox_->pop(items);
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
  if (const Call call = call_of(frame.method())) {
    // A notification can't be answered, and these do nothing else.
    if (frame.kind() == FrameKind::kRequest) start_call(call, std::move(frame));
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

WebSocketClient::Call WebSocketClient::call_of(std::string_view method) {
  using Self = WebSocketClient;
  static constexpr std::pair<std::string_view, Call> kCalls[] = {
      {"initialize", &Self::initialize},       {"session/new", &Self::open_session},
      {"session/fork", &Self::open_session},   {"session/resume", &Self::resume_session},
      {"session/load", &Self::resume_session}, {"session/list", &Self::list},
      {"session/history", &Self::history},     {"session/close", &Self::close},
      {"session/delete", &Self::erase},        {"session/respond", &Self::respond},
  };
  for (const auto& [name, call] : kCalls) {
    if (name == method) return call;
  }
  return nullptr;
}

void WebSocketClient::start_call(Call call, Frame frame) {
  if (!budget_.take(frame.bytes().size())) {
    return refuse(frame.id(), too_many_calls(options_.max_running_calls));
  }
  auto kept = std::make_shared<Frame>(std::move(frame));
  scope_.spawn("call", [this, call, kept] { return answer(call, kept); });
}

Task<void> WebSocketClient::answer(Call call, std::shared_ptr<Frame> frame) {
  const Finally done([this, size = frame->bytes().size()] { budget_.give(size); });
  auto performing = (this->*call)(*frame);
  const auto result = co_await std::move(performing);
  if (result) {
    reply(rpc::result(frame->id(), *result));
  } else {
    refuse(frame->id(), result.error());
  }
}

// What the relay can say before there is an agent; afterwards the agent's own answer.
Task<Result<std::string>> WebSocketClient::initialize(const Frame&) {
  const auto* const current = sessions_.find(sessions_.current());
  if (current != nullptr) co_return current->session->initialize_result();
  const std::string info =
      JsonObject().text("name", "acp-relay").text("version", RELAY_VERSION).take();
  co_return JsonObject()
      .number("protocolVersion", acp::kProtocolVersion)
      .raw("agentCapabilities", "{}")
      .raw("agentInfo", info)
      .raw("authMethods", "[]")
      .take();
}

Task<Result<std::string>> WebSocketClient::list(const Frame& frame) {
  return api_.list(principal_, std::string(frame.params()));
}

Task<Result<std::string>> WebSocketClient::history(const Frame& frame) {
  return api_.history(principal_, std::string(frame.params()));
}

Task<Result<std::string>> WebSocketClient::close(const Frame& frame) {
  std::string params(frame.params());
  if (frame.session_id().empty() && !sessions_.current().empty()) {
    params = JsonObject().text("sessionId", sessions_.current()).take();
  }
  auto closed = co_await api_.close(principal_, std::move(params));
  sessions_.forget_closed();
  co_return closed;
}

Task<Result<std::string>> WebSocketClient::erase(const Frame& frame) {
  auto erased = co_await api_.erase(principal_, std::string(frame.params()));
  sessions_.forget_closed();
  co_return erased;
}

Task<Result<std::string>> WebSocketClient::respond(const Frame&) {
  co_return make_error(ErrorType::kMethodNotFound, "answers of clients are responses here")
      .suggest("send the response to the agent's request: its id, and result or error");
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
Task<Result<std::string>> WebSocketClient::open_session(const Frame& frame) {
  const auto session = co_await api_.create(principal_, frame);
  if (!session) co_return session.error();
  if (outbox_->end() != Outbox::End::kOpen) {
    RelayApi::undo(**session);
    co_return std::string("{}");  // nobody is there to get it
  }
  const auto client =
      attach(*session, false, (*session)->forked_at(), AttachedSessions::Chosen::kYes);
  if (!client) co_return client.error();
  co_return RelayApi::describe(**session, *client);
}

Task<Result<std::string>> WebSocketClient::resume_session(const Frame& frame) {
  const auto request = read_resume(frame.params());
  if (!request) co_return request.error();
  const auto session = co_await api_.find(principal_, request->session_id);
  if (!session) co_return session.error();
  const auto client =
      attach(*session, request->observe, request->after, AttachedSessions::Chosen::kYes);
  if (!client) co_return client.error();
  co_return RelayApi::describe(**session, *client);
}

}  // namespace relay::frontend
