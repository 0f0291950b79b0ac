#include "http/client.hpp"

#include "http/client_connection.hpp"
#include "http/deadline.hpp"

#include <cerrno>
#include <limits>
#include <optional>

namespace relay::http {

namespace {

// A body without a length after a 200 may be a hijacked connection: bytes go both ways.
class AnswerStream final : public Stream {
 public:
  AnswerStream(std::unique_ptr<ClientConnection> connection, std::unique_ptr<ResponseParser> parser,
               bool done)
      : connection_(std::move(connection)),
        parser_(std::move(parser)),
        done_(done),
        raw_(parser_->response().status == 101),
        writable_(raw_ || (!done && parser_->until_close())) {
    head_.status = parser_->response().status;
    head_.headers = parser_->response().headers;
  }

  const Response& head() const override { return head_; }

  Task<Result<std::string>> read_some() override {
    if (raw_) co_return co_await connection_->read_raw();
    for (;;) {
      std::string body = std::move(parser_->response().body);
      parser_->response().body = std::string();
      if (!body.empty() || done_) co_return body;
      const Result<ParseState> state = co_await connection_->advance(*parser_);
      if (!state) co_return state.error();
      done_ = *state == ParseState::kDone;
    }
  }

  Task<Result<void>> write(std::string_view bytes) override {
    if (!writable_) {
      co_return make_error(ErrorType::kInternalError, "the connection was not upgraded");
    }
    co_return co_await connection_->write_raw(bytes);
  }

  void close() override { connection_->transport().close(); }

 private:
  std::unique_ptr<ClientConnection> connection_;
  std::unique_ptr<ResponseParser> parser_;
  Response head_;
  bool done_;
  bool raw_;
  bool writable_;
};

// One request and its whole answer.
Task<Result<void>> exchange(ClientConnection& connection, const Request& request, std::string host,
                            const ClientOptions& options, std::unique_ptr<ResponseParser>& parser) {
  Transport& transport = connection.transport();
  const Deadline deadline(transport.executor(), options.answer_timeout,
                          [&transport] { transport.close(); });
  const Result<ParseState> head =
      co_await connection.ask(request, host, parser, options.max_body_bytes, options.head_timeout);
  if (!head && deadline.expired()) co_return timed_out();
  if (!head) co_return head.error();
  ParseState state = *head;
  while (state != ParseState::kDone) {
    const Result<ParseState> next = co_await connection.advance(*parser);
    if (!next && deadline.expired()) co_return timed_out();
    if (!next) co_return next.error();
    state = *next;
  }
  co_return Result<void>();
}

}  // namespace

Client::Client(asio::any_io_executor executor, Endpoint endpoint, ClientOptions options)
    : executor_(std::move(executor)), endpoint_(std::move(endpoint)), options_(options) {}

Client::~Client() = default;

Task<Result<Response>> Client::request(Request request) {
  std::unique_ptr<ClientConnection> connection = std::move(kept_);
  for (;;) {
    const bool reused = connection != nullptr;
    if (!reused) {
      Result<std::unique_ptr<ClientConnection>> made =
          co_await ClientConnection::connect(executor_, endpoint_, options_.connect_timeout);
      if (!made) co_return made.error();
      connection = std::move(*made);
    }
    connection->expect_answer();
    std::unique_ptr<ResponseParser> parser;
    const Result<void> done =
        co_await exchange(*connection, request, endpoint_.authority(), options_, parser);
    // A deadline closes the connection by itself: that one is not replaced.
    const bool was_lost = connection->is_lost() && connection->transport().is_open();
    if (!done && reused && !connection->got_bytes() && was_lost) {
      connection.reset();
      continue;
    }
    if (!done) co_return done.error();
    if (parser->keep_alive() && parser->response().status != 101 && !connection->has_unread()) {
      kept_ = std::move(connection);
    }
    co_return std::move(parser->response());
  }
}

Task<Result<std::unique_ptr<Stream>>> Client::open(Request request) {
  Result<std::unique_ptr<ClientConnection>> made =
      co_await ClientConnection::connect(executor_, endpoint_, options_.connect_timeout);
  if (!made) co_return made.error();
  std::unique_ptr<ClientConnection> connection = std::move(*made);
  const std::string host = endpoint_.authority();
  std::unique_ptr<ResponseParser> parser;
  const Result<ParseState> state = co_await connection->ask(
      request, host, parser, std::numeric_limits<std::size_t>::max(), options_.head_timeout);
  if (!state) co_return state.error();
  std::unique_ptr<Stream> stream = std::make_unique<AnswerStream>(
      std::move(connection), std::move(parser), *state == ParseState::kDone);
  co_return stream;
}

}  // namespace relay::http
