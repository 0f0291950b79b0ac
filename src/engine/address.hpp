// Where the Docker Engine listens: configuration, environment and defaults as one rule.
//
// Pure. `container.docker_host` wins over DOCKER_HOST, which wins over the default socket. A
// tcp:// address speaks TLS when DOCKER_TLS_VERIFY is not empty or DOCKER_CERT_PATH is set, with
// ca.pem, cert.pem and key.pem of DOCKER_CERT_PATH (default ~/.docker), as the docker command does.
#pragma once

#include "base/result.hpp"
#include "http/client.hpp"

#include <string>

namespace relay::engine {

struct AddressSources {
  std::string configured;   // container.docker_host
  std::string docker_host;  // the environment variables; unset ones are empty
  std::string docker_cert_path;
  std::string docker_tls_verify;
  std::string home;
};

// The variables of this process beside what is configured.
AddressSources address_sources(std::string configured);

// Fails with docker_not_available, naming the key or variable that is wrong and a form that is
// right. Understands unix:///path, tcp://host[:port] (2375, with TLS 2376), http:// and https://.
Result<http::Endpoint> engine_address(const AddressSources& sources);

}  // namespace relay::engine
