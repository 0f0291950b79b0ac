// What an upstream repeats of its credential. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relay::egress {

// Puts "***" in place of the secret wherever it stands in the text: as it is, or with any of its
// characters percent-encoded (RFC 3986, 2.1), which may be so more than once. One of less than six
// characters stays: it would be found where it is not.
void hide_secret(std::string& text, std::string_view secret);

}  // namespace relay::egress
