// One JSON-RPC 2.0 message: its bytes and where in them the parts lie that a relay has to know.
//
// A Frame is parsed once, at the edge by which it entered, and fully: grammar, UTF-8, escapes,
// depth. What is forwarded afterwards are these bytes with ids spliced (protocol/splice.hpp);
// nothing is serialised again, so unknown fields, big integers and odd spellings survive.
//
// Rules (JSON-RPC 2.0; ACP allows ids that are null, integers or strings):
//   - the top level is an object with `"jsonrpc": "2.0"`; batches are refused;
//   - `method` + `id` = request, `method` alone = notification, `id` + one of `result`/`error` =
//   response;
//   - `id`, `method`, `params`, `result`, `error`, `jsonrpc` appear at most once (two parsers may
//     pick different ones of a pair).
//
// What others write all the same, and every reader understands in one way, is put right first: a
// byte order mark goes, escapes in the method go where it needs none, and half a surrogate pair
// (text that was cut inside an emoji; parsers do not agree about it) becomes U+FFFD. Of agents also
// (Writer::kAgent): `"error": null` beside a result,
// `"result": null` beside an error, and a missing `jsonrpc`.
#pragma once

#include <boost/container/small_vector.hpp>
#include <tl/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

enum class FrameKind { kRequest, kNotification, kResult, kError };

// A part of a frame's bytes. Size 0: absent.
struct Span {
  std::size_t offset = 0;
  std::size_t size = 0;
  bool present() const { return size != 0; }
};

struct Envelope {
  FrameKind kind = FrameKind::kNotification;
  Span id;           // JSON text, quotes included
  Span method;       // between the quotes, as it is spelled
  Span params;       // JSON text
  Span result;       // JSON text of `result` or `error`
  Span session_id;   // params.sessionId: JSON text, quotes included, only when it is a string
  Span request_id;   // params.requestId: JSON text, when it is a string or a number
  Span prompt_key;   // params.prompt or params.content: the key between its quotes
  Span prompt;       // its value: JSON text
  Span update_kind;  // params.update.sessionUpdate: between the quotes, as it is spelled
  // params._meta.traceparent of a client's message: between the quotes, as it is spelled, only when
  // it is a string (protocol/trace_context.hpp).
  Span traceparent;
  // JSON texts of strings that name a session: values of keys `sessionId` and `...SessionId` at any
  // depth, and every other string that equals FrameLimits::watched_id or looks like a relay session
  // id; the message's own id and method are none.
  boost::container::small_vector<Span, 2> session_references;
};

// Who wrote a message. A client that is refused is told so; nobody could tell an agent.
enum class Writer { kClient, kAgent };

struct FrameLimits {
  std::size_t max_depth = 512;  // nested arrays and objects, the top level counts as 1
  std::size_t max_id_bytes = 1024;
  // A session id that has to be recognised wherever it stands as a whole string (JSON text, quotes
  // included; empty = none).
  std::string_view watched_id = {};
  Writer writer = Writer::kClient;
};

// For a message that was judged before, by whatever limits: above the largest that
// server.max_json_depth and server.max_id_bytes may be, and what the relay puts around it.
inline constexpr FrameLimits kAccepted{.max_depth = 1100, .max_id_bytes = 1u << 20};

struct FrameError {
  enum class Kind {
    kNotJson,       // -32700
    kInvalid,       // -32600: JSON, but no JSON-RPC message that can be carried
    kBatch,         // -32600: an array
    kDuplicateKey,  // -32600
    kTooDeep,       // -32600
  };
  Kind kind = Kind::kNotJson;
  std::string explanation;
  std::string id = "null";  // JSON text of the id when it could be read, to answer with
  std::string excerpt;      // how it begins: kExcerpt bytes at most
};

class Frame {
 public:
  // Bytes of spare capacity that parse() needs after the end of its input; it reserves them when
  // missing.
  static constexpr std::size_t kPadding = 64;
  static constexpr std::size_t kExcerpt = 200;

  // Takes the bytes. Line feeds and carriage returns outside strings become spaces, so that the
  // result is one line.
  static tl::expected<Frame, FrameError> parse(std::string bytes, const FrameLimits& limits);

  const Envelope& envelope() const { return envelope_; }
  FrameKind kind() const { return envelope_.kind; }
  bool is_response() const {
    return envelope_.kind == FrameKind::kResult || envelope_.kind == FrameKind::kError;
  }
  std::string_view bytes() const { return bytes_; }
  std::string_view text(const Span& span) const {
    return std::string_view(bytes_).substr(span.offset, span.size);
  }
  std::string_view id() const { return text(envelope_.id); }
  // Without escapes.
  std::string_view method() const {
    return unescaped_method_.empty() ? text(envelope_.method) : unescaped_method_;
  }
  std::string_view params() const { return text(envelope_.params); }
  std::string_view result() const { return text(envelope_.result); }
  // params.sessionId without quotes, as it is spelled.
  std::string_view session_id() const;
  // The kind of a session/update; empty: it is none, or has none.
  std::string_view update_kind() const { return text(envelope_.update_kind); }
  std::string_view request_id() const { return text(envelope_.request_id); }

  std::string take_bytes() && { return std::move(bytes_); }

 private:
  Frame(std::string bytes, Envelope envelope);

  std::string bytes_;
  Envelope envelope_;
  std::string unescaped_method_;  // only when it can't be spelled without escapes
};

}  // namespace relay
