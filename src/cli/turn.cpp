#include "cli/turn.hpp"

#include "cli/json_access.hpp"
#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"
#include "protocol/rpc.hpp"

#include <boost/json/array.hpp>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::int64_t kPromptId = 1;
constexpr std::size_t kMaxWaitingRequests = 1000;
constexpr std::chrono::seconds kSilence{10};

json::object prompt_params(const std::string& session, std::string_view text) {
  json::object block;
  block["type"] = "text";
  block["text"] = text;
  json::array content;
  content.push_back(std::move(block));
  json::object params;
  params["sessionId"] = session;
  params["content"] = std::move(content);
  return params;
}

// The first line of a failure; the rest would not fit into a note.
std::string headline(const Outcome<json::object>& failed) {
  return failed.error().text.substr(0, failed.error().text.find('\n'));
}

}  // namespace

Turn::Turn(asio::any_io_executor executor, const RelayAccess& access, const PromptCommand& command,
           std::string session, std::string silence, Output& out, Output& err)
    : executor_(executor),
      access_(access),
      command_(command),
      session_(std::move(session)),
      silence_(std::move(silence)),
      out_(out),
      err_(err),
      view_({out.is_terminal(), err.is_terminal()}),
      terminal_(TerminalReader::open(executor, command.text == "-")),
      requests_came_(executor),
      tasks_(executor, [](const std::string&, std::exception_ptr) {}) {}

void Turn::print(const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    if (piece.stream == Piece::Stream::kErr) {
      err_.write(piece.text);
    } else if (!command_.json) {
      out_.write(piece.text);
    }
  }
}

Task<Outcome<json::object>> Turn::run(std::string text) {
  std::optional<Outcome<json::object>> result;
  auto living = failure_of(live(std::move(text), result));
  const auto thrown = co_await std::move(living);
  ended_ = true;
  tasks_.cancel();
  co_await tasks_.join();
  if (thrown) std::rethrow_exception(thrown);
  print(view_.finish());
  if (*result) {
    for (const std::string& line : policy_notes(**result)) print(view_.note(line));
  }
  co_return std::move(*result);
}

Task<void> Turn::live(std::string text, std::optional<Outcome<json::object>>& result) {
  tasks_.spawn("answers", [this] { return answer_requests(); });
  if (!silence_.empty()) tasks_.spawn("silence", [this] { return say_silence(); });
  Outcome<json::object> outcome = co_await read(std::move(text));
  result = std::move(outcome);
  if (!out_.broken() || cancelled_) co_return;
  RelayClient client(executor_, access_);
  json::object params;
  params["sessionId"] = session_;
  const auto told = co_await client.call("session/cancel", std::move(params));
  (void)told;  // nobody is left to be told
}

Task<void> Turn::say_silence() {
  const bool waited = co_await sleep_for(kSilence);
  if (waited) err_.write(silence_);
}

Task<Outcome<json::object>> Turn::read(std::string text) {
  RelayClient client(executor_, access_);
  json::object params = prompt_params(session_, text);
  Outcome<std::unique_ptr<http::Stream>> opened =
      co_await client.open("session/prompt", std::move(params), kPromptId);
  if (!opened) co_return opened.error();
  const std::unique_ptr<http::Stream> stream = std::move(*opened);
  Lines lines;
  while (true) {
    const Result<std::string> bytes = co_await stream->read_some();
    if (!bytes || bytes->empty()) break;
    const auto complete = lines.feed(*bytes);
    if (!complete) co_return complete.error();
    for (const std::string& line : *complete) {
      std::optional<Outcome<json::object>> result = take_line(line);
      if (result) co_return std::move(*result);
      if (out_.broken()) {
        co_return Failure{ExitCode::kError, "nobody reads the output; the turn was cancelled"};
      }
    }
  }
  std::optional<Outcome<json::object>> result = take_line(lines.rest());
  if (result) co_return std::move(*result);
  co_return Failure{ExitCode::kError,
                    "the connection ended before the turn did\n  what to do:\n"
                    "    - see what happened: acp-relay sessions history " +
                        visible(session_)};
}

std::optional<Outcome<json::object>> Turn::take_line(const std::string& line) {
  std::optional<json::object> message = parse_object(line);
  if (!message) return std::nullopt;
  if (kind_of(*message) != MessageKind::kNotification) silence_.clear();
  if (command_.json) out_.write(line + "\n");
  switch (kind_of(*message)) {
    case MessageKind::kResponse:
      return result_of(*message);
    case MessageKind::kNotification:
      take_notification(*message);
      break;
    case MessageKind::kRequest:
      if (requests_.size() < kMaxWaitingRequests) requests_.push_back(std::move(*message));
      requests_came_.notify();
      break;
    case MessageKind::kOther:
      break;
  }
  return std::nullopt;
}

void Turn::take_notification(const json::object& message) {
  const json::object* params = object_at(message, "params");
  if (params == nullptr) return;
  const std::string_view method = string_at(message, "method");
  if (method == "session/update") {
    const std::vector<Piece> pieces = view_.update(*params);
    if (!pieces.empty()) silence_.clear();  // what nobody sees is as good as nothing
    if (!command_.json) print(pieces);
  } else if (method == "$/cancel_request") {
    const json::value* id = params->if_contains("requestId");
    if (id == nullptr) return;
    std::erase_if(requests_, [id](const json::object& request) { return request.at("id") == *id; });
    if (asked_ == *id) {
      withdrawn_ = true;
      if (terminal_) terminal_->interrupt();
    }
  }
}

Task<void> Turn::answer_requests() {
  RelayClient client(executor_, access_);
  while (true) {
    if (requests_.empty()) {
      const bool came = co_await requests_came_.wait();
      if (!came) co_return;
      continue;
    }
    json::object request = std::move(requests_.front());
    requests_.pop_front();
    asked_ = request.at("id");
    withdrawn_ = false;
    json::object params = co_await answer_to(std::move(request));
    params["sessionId"] = session_;
    params["requestId"] = asked_;
    asked_ = nullptr;
    if (withdrawn_) {
      print(view_.note("[permission] answered elsewhere"));
      continue;
    }
    const auto answered = co_await client.call("session/respond", std::move(params));
    // After a cancel the relay has answered already, and the end of the turn cuts this call off:
    // neither is news.
    if (!answered && !cancelled_ && !ended_) print(view_.note("[answer] " + headline(answered)));
  }
}

Task<json::object> Turn::answer_to(json::object request) {
  json::object params;
  const std::string_view method = string_at(request, "method");
  if (method != "session/request_permission") {
    json::object error;
    error["code"] = rpc::kMethodNotFound;
    error["message"] = "acp-relay prompt does not offer " + std::string(method);
    params["error"] = std::move(error);
    co_return params;
  }
  PermissionRequest permission = read_permission(request);
  const std::optional<PermissionOption> option = co_await decide(std::move(permission));
  params["result"] = permission_result(option);
  co_return params;
}

Task<std::optional<PermissionOption>> Turn::decide(PermissionRequest request) {
  const std::string about = "[permission] " + one_line(request.title, 60) + ": ";
  if (cancelled_) co_return std::nullopt;
  if (command_.permissions != PermissionPolicy::kAsk) {
    const std::optional<PermissionOption> option = option_for(request, command_.permissions);
    print(view_.note(about + (option ? option->name : "cancelled, no option fits --yes or --no")));
    co_return option;
  }
  if (!terminal_) {
    print(view_.note(about + "cancelled, there is no terminal to ask on (see --yes, --no)"));
    co_return std::nullopt;
  }
  while (true) {
    print(view_.finish());
    err_.write(question_text(request));
    const std::optional<std::string> typed = co_await terminal_->read_line();
    if (!typed) {
      err_.write("\n");
      co_return std::nullopt;
    }
    const Answer answer = read_answer(request, *typed);
    if (answer.kind == Answer::Kind::kOption) co_return answer.option;
    if (answer.kind == Answer::Kind::kCancel) co_return std::nullopt;
  }
}

void Turn::cancel() {
  cancelled_ = true;
  print(view_.note("[cancel] asked the agent to stop; Ctrl-C again leaves at once"));
  if (terminal_) terminal_->interrupt();
  tasks_.spawn("cancel", [this]() -> Task<void> {
    RelayClient client(executor_, access_);
    json::object params;
    params["sessionId"] = session_;
    const auto told = co_await client.call("session/cancel", std::move(params));
    if (!told && !ended_) print(view_.note("[cancel] " + headline(told)));
  });
}

}  // namespace relay::cli
