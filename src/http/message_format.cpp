#include "http/message_format.hpp"

#include "http/header_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace relay::http {

namespace {

bool is_framing(std::string_view name) {
  return equals_ignoring_case(name, "Content-Length") ||
         equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection");
}

bool is_writable(const Header& header) {
  return !header.name.empty() && std::ranges::all_of(header.name, is_token_character) &&
         is_safe_value(header.value);
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void append_fields(std::string& out, const Headers& headers, const Framing& framing) {
  if (!framing.date.empty()) append_line(out, "Date", framing.date);
  for (const Header& header : headers) {
    if (!is_framing(header.name) && is_writable(header)) {
      append_line(out, header.name, header.value);
    }
  }
  if (framing.content_length) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *framing.content_length);
  }
  if (framing.chunked) append_line(out, "Transfer-Encoding", "chunked");
  if (!framing.connection.empty()) append_line(out, "Connection", framing.connection);
  out.append("\r\n");
}

void append_response_head(std::string& out, int status, const Headers& headers,
                          const Framing& framing) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  append_fields(out, headers, framing);
}

void append_request_head(std::string& out, std::string_view method, std::string_view target,
                         const Headers& headers, const Framing& framing) {
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  append_fields(out, headers, framing);
}

void append_request_head(std::string& out, const Request& request, std::string_view host) {
  out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  if (request.header("Host").empty()) append_line(out, "Host", host);
  for (const Header& header : request.headers) {
    const bool is_length = equals_ignoring_case(header.name, "Content-Length") ||
                           equals_ignoring_case(header.name, "Transfer-Encoding");
    if (!is_length && is_writable(header)) append_line(out, header.name, header.value);
  }
  const bool may_have_body = request.method != "GET" && request.method != "HEAD";
  if (may_have_body || !request.body.empty()) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", request.body.size());
  }
  out.append("\r\n");
}

std::string chunk_head(std::size_t bytes) { return fmt::format("{:x}\r\n", bytes); }

}  // namespace relay::http
