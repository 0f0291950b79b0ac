#include "engine/address.hpp"

#include "engine/texts.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace relay::engine {

namespace {

constexpr std::string_view kDefaultAddress = "unix:///var/run/docker.sock";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

struct Chosen {
  std::string address;
  std::string_view from;  // the key or variable that an error names
};

Chosen chosen_address(const AddressSources& sources) {
  if (!sources.configured.empty()) return {sources.configured, "container.docker_host"};
  if (!sources.docker_host.empty()) return {sources.docker_host, "DOCKER_HOST"};
  return {std::string(kDefaultAddress), "the default address"};
}

// What stands before an @ may be a password.
std::string shown(const std::string& address) {
  const std::size_t mark = address.find("://");
  const std::size_t at = address.rfind('@');
  if (address.starts_with("unix:") || at == std::string::npos) return printable(address, 200);
  const std::string scheme = mark < at ? address.substr(0, mark + 3) : std::string();
  return printable(scheme + "***" + address.substr(at), 200);
}

Error bad_address(const Chosen& chosen, std::string_view why, std::string_view remedy) {
  return make_error(ErrorType::kDockerNotAvailable,
                    fmt::format("{} is \"{}\": {}", chosen.from, shown(chosen.address), why))
      .suggest(fmt::format("set {} to {}", chosen.from, remedy))
      .with("key", std::string(chosen.from));
}

constexpr std::string_view kForms =
    "unix:///var/run/docker.sock, tcp://HOST:2375, or with TLS tcp://HOST:2376 and "
    "DOCKER_CERT_PATH";

// Whether a port stands behind the host of "host[:port][/]".
bool has_port(std::string_view rest) {
  const std::size_t bracket = rest.rfind(']');
  const std::size_t colon = rest.rfind(':');
  return colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
}

}  // namespace

AddressSources address_sources(std::string configured) {
  return {std::move(configured), variable("DOCKER_HOST"), variable("DOCKER_CERT_PATH"),
          variable("DOCKER_TLS_VERIFY"), variable("HOME")};
}

Result<http::Endpoint> engine_address(const AddressSources& sources) {
  const Chosen chosen = chosen_address(sources);
  const std::size_t mark = chosen.address.find("://");
  if (mark == std::string::npos) {
    const std::string remedy = chosen.address.starts_with('/')
                                   ? "unix://" + printable(chosen.address, 200)
                                   : std::string(kForms);
    return bad_address(chosen, "it has no scheme", remedy);
  }
  const std::string_view scheme = std::string_view(chosen.address).substr(0, mark);
  std::string_view rest = std::string_view(chosen.address).substr(mark + 3);
  if (scheme == "ssh") {
    return bad_address(chosen, "the relay does not speak SSH",
                       "the local end of a tunnel: ssh -nNT -L "
                       "/tmp/docker.sock:/var/run/docker.sock HOST, then unix:///tmp/docker.sock");
  }
  if (scheme == "npipe" || scheme == "fd") {
    return bad_address(chosen, "this form is for other programs", kForms);
  }
  const bool is_tcp = scheme == "tcp";
  const bool wants_tls = !sources.docker_tls_verify.empty() || !sources.docker_cert_path.empty();
  const bool use_tls = scheme == "https" || (is_tcp && wants_tls);
  std::string url = chosen.address;
  if (is_tcp) {
    if (rest.ends_with('/')) rest.remove_suffix(1);
    url = fmt::format("{}://{}{}", use_tls ? "https" : "http", rest,
                      has_port(rest) ? "" : (use_tls ? ":2376" : ":2375"));
  }
  if (scheme != "unix" && url.find('@') != std::string::npos) {
    return bad_address(chosen, "the Engine does not ask for a user or a password", kForms);
  }
  Result<http::Endpoint> endpoint = http::Endpoint::parse(url);
  if (!endpoint) return bad_address(chosen, endpoint.error().explanation, kForms);
  if (!use_tls || !wants_tls) return endpoint;
  std::string directory = sources.docker_cert_path;
  if (directory.empty() && sources.home.empty()) {
    return make_error(ErrorType::kDockerNotAvailable,
                      "DOCKER_TLS_VERIFY asks for TLS, but neither DOCKER_CERT_PATH nor HOME says "
                      "where the certificates are")
        .suggest("set DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem")
        .with("key", std::string("DOCKER_CERT_PATH"));
  }
  if (directory.empty()) directory = sources.home + "/.docker";
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  endpoint->ca_file = directory + "/ca.pem";
  endpoint->certificate_file = directory + "/cert.pem";
  endpoint->key_file = directory + "/key.pem";
  return endpoint;
}

}  // namespace relay::engine
