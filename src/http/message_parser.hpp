// HTTP/1.1 messages from bytes, in pieces: a thin, I/O-free face of Beast's parser.
//
// feed() is given everything that is unconsumed so far and says how much of it is used up; the rest
// must be given again, with more behind it. Limits are bytes. A parser is for one message.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace relay::http {

enum class ParseState {
  kNeedMore,
  kHead,    // the head is complete and a body follows; said once
  kDone,    // the message is complete; what is not consumed belongs to the next one
  kFailed,  // `status` and `explanation` say why
};

struct ParseStep {
  ParseState state = ParseState::kNeedMore;
  std::size_t consumed = 0;
  int status = 0;  // 400, 413, 431 for requests
  std::string explanation;
};

// Bytes of the empty lines at the beginning, which belong to no message. A parser skips them, as
// many as a head may have bytes; more are only_empty_lines().
std::size_t empty_lines(std::string_view bytes);
ParseStep only_empty_lines();

class RequestParser {
 public:
  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestParser();

  ParseStep feed(std::string_view bytes);
  // After kHead: another limit for the body. kFailed (413) when it is known to be longer.
  ParseStep limit_body(std::size_t max_bytes);
  // What has come of the body, decoded.
  std::size_t body_bytes() const;
  // Takes it out: for who passes a body on while it comes.
  std::string take_body();

  // Complete after kHead except for the body; `peer` and `local_port` are the caller's.
  Request& request();
  bool is_http_1_0() const;
  bool keep_alive() const;
  bool expects_continue() const;
  // Of the body, as the head says; neither: there is none.
  std::optional<std::uint64_t> content_length() const;
  bool is_chunked() const;
  // Behind the last chunk; complete after kDone.
  const Headers& trailers() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

class ResponseParser {
 public:
  // `to_head`: the answer to a HEAD request, which has no body whatever its head says.
  ResponseParser(std::size_t max_header_bytes, std::size_t max_body_bytes, bool to_head);
  ~ResponseParser();

  ParseStep feed(std::string_view bytes);
  // The peer has closed: ends a body without a length. kDone or kFailed.
  ParseStep feed_end();

  // The body holds what has come; a streaming reader takes it out after each step.
  Response& response();
  bool keep_alive() const;
  bool until_close() const;
  std::optional<std::uint64_t> content_length() const;
  bool is_chunked() const;
  const Headers& trailers() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace relay::http
