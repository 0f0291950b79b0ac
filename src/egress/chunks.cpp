#include "egress/chunks.hpp"

#include "http/message_format.hpp"

namespace relay::egress {

std::string framed(std::string part, BodyFraming framing) {
  if (part.empty() || framing == BodyFraming::kPlain) return part;
  std::string out = http::chunk_head(part.size());
  out.reserve(out.size() + part.size() + http::kChunkEnd.size());
  return out.append(part).append(http::kChunkEnd);
}

std::string end_of_body(const http::Headers& trailers, BodyFraming framing) {
  if (framing == BodyFraming::kPlain) return {};
  std::string out = "0\r\n";
  const http::Framing none;
  http::append_fields(out, trailers, none);
  return out;
}

}  // namespace relay::egress
