// HTTP/1.1 heads as text. The framing headers (Content-Length, Transfer-Encoding, Connection) come
// from here only: those in a message's own headers are left out, and so is a header that would
// break the line.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relay::http {

struct Framing {
  std::optional<std::size_t> content_length;
  bool chunked = false;
  std::string_view connection;  // value of the Connection header, none when empty
  std::string_view date;        // value of the Date header, none when empty
};

// The lines behind a start line, and the empty one.
void append_fields(std::string& out, const Headers& headers, const Framing& framing);

void append_response_head(std::string& out, int status, const Headers& headers,
                          const Framing& framing);

// `connection` may be "Upgrade", with the Upgrade header among the others. `headers` has the Host.
void append_request_head(std::string& out, std::string_view method, std::string_view target,
                         const Headers& headers, const Framing& framing);

// A whole request. `host` is sent unless the request has a Host header.
void append_request_head(std::string& out, const Request& request, std::string_view host);

// "1a\r\n": what stands before the bytes of a chunk. "\r\n" stands behind them.
std::string chunk_head(std::size_t bytes);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace relay::http
