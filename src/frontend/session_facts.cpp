#include "frontend/session_facts.hpp"

#include "protocol/json_text.hpp"

namespace relay::frontend {

std::string egress_of(const Session& session) {
  if (session.upstreams().empty() && session.connect().empty()) return {};
  JsonObject egress;
  egress.raw("upstreams", json_array(session.upstreams()));
  if (!session.carrier().empty()) egress.text("carrier", session.carrier());
  if (!session.connect().empty()) egress.raw("connect", json_array(session.connect()));
  return egress.take();
}

}  // namespace relay::frontend
