// Owners of OpenSSL's objects, and how the programs that use it end when they cannot go on.
#pragma once

#include "common/failure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>

namespace relay::bench {

struct OpensslFree {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* session) const { ::SSL_free(session); }
};
using OpensslContext = std::unique_ptr<SSL_CTX, OpensslFree>;
using OpensslSession = std::unique_ptr<SSL, OpensslFree>;

/// As fail(), with OpenSSL's reason.
[[noreturn]] inline void fail_openssl(const std::string& cause) {
  std::array<char, 256> reason{};
  ::ERR_error_string_n(::ERR_get_error(), reason.data(), reason.size());
  fail(cause + ": " + reason.data());
}

}  // namespace relay::bench
