#include "answers.hpp"

#include <cstdio>

namespace {

template <std::size_t kSize>
std::string_view response(char (&room)[kSize], const char* status, const char* type,
                          const char* message) {
  char body[kSize];
  const int length = std::snprintf(
      body, sizeof body, R"({"type":"error","error":{"type":"%s","message":"%s"}})", type, message);
  const int size = std::snprintf(room, sizeof room,
                                 "HTTP/1.1 %s\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: %d\r\n"
                                 "Retry-After: 1\r\n"
                                 "Connection: close\r\n"
                                 "\r\n"
                                 "%s",
                                 status, length, body);
  return {room, static_cast<std::size_t>(size)};
}

}  // namespace

Answers::Answers(int max_connections) {
  char message[200];
  std::snprintf(message, sizeof message,
                "acp-agent-init: %d connections to the relay are open already, which is its "
                "--max-connections; close one or try again",
                max_connections);
  too_many_ = response(too_many_text_, "503 Service Unavailable", "too_many_connections", message);
  no_relay_ = response(no_relay_text_, "502 Bad Gateway", "relay_unreachable",
                       "acp-agent-init: the relay is not there now, it may be restarting; "
                       "try again in a second");
}
