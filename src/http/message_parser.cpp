#include "http/message_parser.hpp"

#include "http/header_fields.hpp"
#include "http/sizes.hpp"
#include "http/target.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace relay::http {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

namespace {

constexpr std::size_t kUsualHeaders = 16;
constexpr std::size_t kMaxChunkLine = 16u << 10;  // chunk size line, and all trailers
// What frames a body of chunks may be as large as one such line, and so much for each byte of it.
constexpr std::size_t kFramingPerByte = 16;

std::string to_string(beast::string_view text) { return {text.data(), text.size()}; }

// Position behind the empty line that ends the head; npos when it is not there.
std::size_t head_end(std::string_view bytes, std::size_t searched) {
  std::size_t at = searched;
  while ((at = bytes.find('\n', at)) != std::string_view::npos) {
    if (bytes.substr(at + 1, 1) == "\n") return at + 2;
    if (bytes.substr(at + 1, 2) == "\r\n") return at + 3;
    ++at;
  }
  return std::string_view::npos;
}

std::ptrdiff_t count_of(const Headers& headers, std::string_view name) {
  return std::ranges::count_if(
      headers, [name](const Header& header) { return equals_ignoring_case(header.name, name); });
}

ParseStep failure(int status, std::string explanation) {
  return {ParseState::kFailed, 0, status, std::move(explanation)};
}

// What both kinds of message have in common.
template <bool isRequest>
class MessageParser : public beast::http::basic_parser<isRequest> {
 public:
  MessageParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
      : max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes) {
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
    this->body_limit(max_body_bytes);
  }

  ParseStep feed(std::string_view bytes) {
    const std::size_t before = bytes.size();
    if (!this->is_header_done()) {
      const ParseStep head = feed_head(bytes);
      if (head.state != ParseState::kHead) return head;
      bytes.remove_prefix(head.consumed);
      if (!this->is_done()) return head;
    }
    ErrorCode error;
    while (!this->is_done() && !bytes.empty()) {
      const std::size_t body_before = body_bytes_;
      const std::size_t used = this->put({bytes.data(), bytes.size()}, error);
      bytes.remove_prefix(used);
      framing_bytes_ += used - (body_bytes_ - body_before);
      if (error == beast::http::error::need_more) {
        if (bytes.size() > kMaxChunkLine) return failure(400, "a chunk's head is too long");
        break;
      }
      if (error) return failed(error);
      if (framing_bytes_ > kMaxChunkLine + kFramingPerByte * body_bytes_) {
        return failure(400, "the lines around the chunks are too long for so small a body");
      }
    }
    return {
        this->is_done() ? ParseState::kDone : ParseState::kNeedMore, before - bytes.size(), 0, {}};
  }

  ParseStep limit_body(std::size_t max_bytes) {
    max_body_bytes_ = max_bytes;
    this->body_limit(max_bytes);
    const auto length = this->content_length();
    return length && *length > max_bytes ? too_long() : ParseStep();
  }

  std::optional<std::uint64_t> length() const {
    const auto known = this->content_length();
    return known ? std::optional<std::uint64_t>(*known) : std::nullopt;
  }

  std::string body_;
  Headers trailers_;

 protected:
  ParseStep too_long() const {
    return failure(413,
                   "the body is over the limit of " + std::to_string(max_body_bytes_) + " bytes");
  }
  ParseStep failed(const ErrorCode& error) const {
    if (error == beast::http::error::body_limit) return too_long();
    return failure(400, "not a valid HTTP message: " + error.message());
  }

  virtual ParseStep check_head() = 0;

  // Who is in front of or behind us would see another end of the message.
  bool has_other_coding(const Headers& headers, int version) const {
    const auto codings = count_of(headers, "Transfer-Encoding");
    if (codings == 0) return false;
    const auto found = std::ranges::find_if(headers, [](const Header& header) {
      return equals_ignoring_case(header.name, "Transfer-Encoding");
    });
    return codings > 1 || version < 11 || !this->chunked() ||
           !equals_ignoring_case(trimmed(found->value), "chunked");
  }

  Headers* headers_ = nullptr;

 private:
  // kHead, with what it consumed, or the end of this feed.
  ParseStep feed_head(std::string_view bytes) {
    const std::size_t skipped = empty_lines(bytes);
    empty_bytes_ += skipped;
    if (empty_bytes_ > max_header_bytes_) return only_empty_lines();
    const std::string_view text = bytes.substr(skipped);
    if (!text.empty() && text != "\r" && !is_token_character(text.front())) {
      return failure(400, "this is not HTTP");
    }
    const std::size_t end = head_end(text, searched_ > 3 ? searched_ - 3 : 0);
    if (std::min(end, text.size()) > max_header_bytes_) {
      return failure(
          431, "the head is over the limit of " + std::to_string(max_header_bytes_) + " bytes");
    }
    if (end == std::string_view::npos) {
      searched_ = text.size();
      return {ParseState::kNeedMore, skipped, 0, {}};
    }
    ErrorCode error;
    std::string_view left = text.substr(0, end);
    while (!this->is_header_done()) {
      left.remove_prefix(this->put({left.data(), left.size()}, error));
      if (error) return failed(error);
    }
    ParseStep step = check_head();
    if (step.state != ParseState::kFailed) step = {ParseState::kHead, skipped + end, 0, {}};
    return step;
  }

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     ErrorCode& error) override {
    error = {};
    Headers& section = in_body_ ? trailers_ : *headers_;
    section.push_back({to_string(name), to_string(value)});
  }
  void on_header_impl(ErrorCode& error) override {
    error = {};
    in_body_ = true;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& error) override {
    error = {};
    if (length) {
      body_.reserve(std::min(static_cast<std::size_t>(*length), kTrustedReserve) + kBodySlack);
    }
  }
  std::size_t on_body_impl(beast::string_view body, ErrorCode& error) override {
    error = {};
    body_.append(body.data(), body.size());
    body_bytes_ += body.size();
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode& error) override {
    error = {};
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                 ErrorCode& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(ErrorCode& error) override {
    error = {};
    if (body_.capacity() < body_.size() + kBodySlack) body_.reserve(body_.size() + kBodySlack);
  }

  std::size_t max_header_bytes_;
  std::size_t max_body_bytes_;
  std::size_t searched_ = 0;
  // Of the whole message, however it is fed.
  std::size_t empty_bytes_ = 0;    // lines before the head
  std::size_t framing_bytes_ = 0;  // lines around chunks, and trailers
  std::size_t body_bytes_ = 0;
  bool in_body_ = false;
};

}  // namespace

std::size_t empty_lines(std::string_view bytes) {
  std::size_t size = 0;
  while (bytes.substr(size, 2) == "\r\n") size += 2;
  return size;
}

ParseStep only_empty_lines() { return failure(400, "empty lines instead of a request"); }

class RequestParser::Parser final : public MessageParser<true> {
 public:
  Parser(std::size_t max_header_bytes, std::size_t max_body_bytes)
      : MessageParser(max_header_bytes, max_body_bytes) {
    headers_ = &request_.headers;
    request_.headers.reserve(kUsualHeaders);
  }

  Request request_;
  int version_ = 11;

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCode& error) override {
    error = {};
    request_.method = to_string(method);
    request_.target = to_string(target);
    version_ = version;
  }
  void on_response_impl(int, beast::string_view, int, ErrorCode&) override {}

  ParseStep check_head() override {
    if (has_other_coding(request_.headers, version_)) {
      return failure(400, "the only Transfer-Encoding that is understood is chunked");
    }
    if (version_ >= 11 && count_of(request_.headers, "Host") != 1) {
      return failure(400, "a request needs exactly one Host header");
    }
    Result<Target> target = http::parse_target(request_.target);
    if (!target) return failure(400, target.error().explanation);
    request_.path = std::move(target->path);
    request_.query = std::move(target->query);
    return {};
  }
};

RequestParser::RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : parser_(std::make_unique<Parser>(max_header_bytes, max_body_bytes)) {}
RequestParser::~RequestParser() = default;

ParseStep RequestParser::feed(std::string_view bytes) {
  ParseStep step = parser_->feed(bytes);
  if (step.state == ParseState::kDone) parser_->request_.body = std::move(parser_->body_);
  return step;
}

ParseStep RequestParser::limit_body(std::size_t max_bytes) {
  return parser_->limit_body(max_bytes);
}
std::size_t RequestParser::body_bytes() const {
  return parser_->body_.size() + parser_->request_.body.size();
}
Request& RequestParser::request() { return parser_->request_; }
bool RequestParser::is_http_1_0() const { return parser_->version_ < 11; }
bool RequestParser::keep_alive() const { return parser_->keep_alive(); }
bool RequestParser::expects_continue() const {
  return !is_http_1_0() && has_token(parser_->request_.headers, "Expect", "100-continue");
}

class ResponseParser::Parser final : public MessageParser<false> {
 public:
  Parser(std::size_t max_header_bytes, std::size_t max_body_bytes, bool to_head)
      : MessageParser(max_header_bytes, max_body_bytes) {
    headers_ = &response_.headers;
    skip(to_head);
  }

  ParseStep feed_end() {
    if (!got_some()) return failure(0, "the connection was closed before an answer came");
    ErrorCode error;
    put_eof(error);
    if (error) return failure(0, "the connection was closed in the middle of an answer");
    return {ParseState::kDone, 0, 0, {}};
  }

  Response response_;

 private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int,
                       ErrorCode&) override {}
  void on_response_impl(int status, beast::string_view, int version, ErrorCode& error) override {
    error = {};
    response_.status = status;
    version_ = version;
  }
  ParseStep check_head() override {
    if (response_.status < 100) return failure(400, "its status is none");
    if (has_other_coding(response_.headers, version_)) {
      return failure(400, "the only Transfer-Encoding that is understood is chunked");
    }
    return {};
  }

  int version_ = 11;
};

std::string RequestParser::take_body() {
  std::string taken = std::exchange(parser_->request_.body, {});
  taken.append(std::exchange(parser_->body_, {}));
  return taken;
}
std::optional<std::uint64_t> RequestParser::content_length() const { return parser_->length(); }
bool RequestParser::is_chunked() const { return parser_->chunked(); }
const Headers& RequestParser::trailers() const { return parser_->trailers_; }

ResponseParser::ResponseParser(std::size_t max_header_bytes, std::size_t max_body_bytes,
                               bool to_head)
    : parser_(std::make_unique<Parser>(max_header_bytes, max_body_bytes, to_head)) {}
ResponseParser::~ResponseParser() = default;

ParseStep ResponseParser::feed(std::string_view bytes) {
  ParseStep step = parser_->feed(bytes);
  std::string& body = parser_->response_.body;
  if (body.empty()) {
    body.swap(parser_->body_);
  } else {
    body.append(parser_->body_);
    parser_->body_.clear();
  }
  return step;
}

ParseStep ResponseParser::feed_end() { return parser_->feed_end(); }
Response& ResponseParser::response() { return parser_->response_; }
bool ResponseParser::keep_alive() const { return parser_->keep_alive(); }
bool ResponseParser::until_close() const { return parser_->need_eof(); }
std::optional<std::uint64_t> ResponseParser::content_length() const { return parser_->length(); }
bool ResponseParser::is_chunked() const { return parser_->chunked(); }
const Headers& ResponseParser::trailers() const { return parser_->trailers_; }

}  // namespace relay::http
