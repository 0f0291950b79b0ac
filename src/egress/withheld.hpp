// Which headers, trailers and parameters of an agent's request stay here. Pure.
//
// - Credentials, in whatever place agents and upstreams have them: the agent's is a placeholder, or
//   that of somebody else, in whose name it would send away what it knows. A Cookie is one, too.
// - What makes it another request than the one that the rules were asked about: another method
//   (X-HTTP-Method-Override), another path (X-Original-URL).
// - Who sent it (Forwarded, X-Forwarded-*, X-Real-IP): an upstream that has a proxy of its own
//   before it takes them for that one's word, and lets in who comes from the right address.
// - What belongs to the connection (RFC 9110, 7.6.1), and what the relay says itself.
// - Where tokens are counted, what keeps an answer from saying how many it took: compression,
//   another format than JSON, and a choice of its parts.
//
// A name is the same in any case and with _ for -: behind CGI, WSGI and Rack both are one variable.
// To Google $key and key are one parameter, too.
#pragma once

#include <string>
#include <string_view>

namespace relay::egress {

// In small letters, with - for _.
std::string plain_name(std::string_view name);
// The same of a parameter, without the $ or $. before it.
std::string plain_parameter(std::string_view name);

// All of these take plain names.
bool is_withheld_header(std::string_view name);  // the same for trailers
bool is_withheld_parameter(std::string_view name);
bool is_of_the_connection(std::string_view name);
bool is_header_that_hides_usage(std::string_view name);  // the same for trailers
bool is_parameter_that_hides_usage(std::string_view name, std::string_view value);

// An item of Sec-WebSocket-Protocol that carries a credential, as browsers send it that can set no
// header.
bool is_withheld_protocol(std::string_view item);

}  // namespace relay::egress
