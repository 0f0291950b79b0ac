// What goes on for as long as a container lives: attach, the wait for its end, events.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"

namespace relay::engine {

namespace {

constexpr std::size_t kMaxWaitAnswer = 64u << 10;

}  // namespace

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::attach(std::string id) {
  co_return co_await attach_to(std::move(id), "&stdin=1&stdout=1&stderr=1");
}

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::attach_output(std::string id) {
  co_return co_await attach_to(std::move(id), "&stdout=1&stderr=1");
}

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::attach_input(std::string id) {
  co_return co_await attach_to(std::move(id), "&stdin=1");
}

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::attach_to(std::string id,
                                                                    std::string streams) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request;
  request.method = "POST";
  request.target = "/containers/" + id + "/attach?stream=1" + streams;
  request.headers = {{"Connection", "Upgrade"}, {"Upgrade", "tcp"}};
  Result<Opened> opened = co_await open(Call::kAttach, std::move(request));
  if (!opened) co_return opened.error();
  if (opened->stream) co_return std::move(opened->stream);
  const std::string message = refusal(opened->refused.body);
  co_return refused("attach to the container", opened->refused.status, message);
}

Task<Result<std::unique_ptr<http::Stream>>> EngineClient::logs(std::string id,
                                                               LogSelection wanted) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request;
  request.target = "/containers/" + id + "/logs?follow=" + (wanted.follow ? "1" : "0");
  if (wanted.output) request.target += "&stdout=1";
  if (wanted.errors) request.target += "&stderr=1";
  if (wanted.times) request.target += "&timestamps=1";
  Result<Opened> opened = co_await open(Call::kLogs, std::move(request));
  if (!opened) co_return opened.error();
  if (opened->stream) co_return std::move(opened->stream);
  const std::string message = refusal(opened->refused.body);
  co_return refused("read the log of the container", opened->refused.status, message);
}

Task<Result<ExitWatch>> EngineClient::watch_exit(std::string id, Until until) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request;
  request.method = "POST";
  request.target = "/containers/" + id + "/wait?condition=";
  request.target += until == Until::kNextExit ? "next-exit" : "not-running";
  Result<Opened> opened = co_await open(Call::kWait, std::move(request));
  if (!opened) co_return opened.error();
  if (opened->stream) co_return ExitWatch(std::move(opened->stream), address());
  const std::string message = refusal(opened->refused.body);
  co_return refused("wait for the container", opened->refused.status, message);
}

Task<Result<int>> ExitWatch::wait() {
  JsonObjects objects(kMaxWaitAnswer);
  for (;;) {
    const Result<std::string> part = co_await stream_->read_some();
    if (!part || part->empty()) co_return stream_lost(address_, "the wait for a container's end");
    std::vector<std::string> answers;
    const bool is_bounded = objects.push(*part, answers);
    if (!answers.empty()) co_return read_wait(answers.front());
    if (!is_bounded) co_return read_wait(*part);
  }
}

Task<Result<EventStream>> EngineClient::events(std::string label) {
  http::Request request;
  request.target = "/events?filters=" + event_filter(label);
  Result<Opened> opened = co_await open(Call::kEvents, std::move(request));
  if (!opened) co_return opened.error();
  if (opened->stream) co_return EventStream(std::move(opened->stream), address());
  const std::string message = refusal(opened->refused.body);
  co_return call_failed(address(), "tell events", opened->refused.status, message);
}

Task<Result<std::vector<EngineEvent>>> EventStream::next() {
  std::vector<EngineEvent> out;
  while (out.empty()) {
    const Result<std::string> part = co_await stream_->read_some();
    if (!part || part->empty()) co_return stream_lost(address_, "GET /events");
    std::vector<std::string> texts;
    const bool is_bounded = objects_.push(*part, texts);
    for (const std::string& text : texts) {
      Result<EngineEvent> event = read_event(text);
      if (event) out.push_back(std::move(*event));  // what can't be read concerns no container
    }
    if (!is_bounded) co_return event_too_long(address_);
  }
  co_return out;
}

}  // namespace relay::engine
