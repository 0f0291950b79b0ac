#include "http/tls.hpp"

#include <climits>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <sys/socket.h>

namespace relay::http {

namespace {

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent =
      ::send(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && is_temporary(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (got < 0 && is_temporary(errno)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL.
BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "relay socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return {};
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

Error file_error(const std::string& what, const std::string& path) {
  const std::string reason = openssl_reason();
  return make_error(ErrorType::kInvalidParams,
                    "TLS: cannot use the " + what + " \"" + path +
                        "\": " + (reason.empty() ? "unknown reason" : reason))
      .suggest("Check that the file exists, is readable and is PEM.");
}

constexpr std::size_t kReadAhead = 64u << 10;

SSL* new_session(SSL_CTX* context, int socket) {
  SSL* session = SSL_new(context);
  BIO* bio = session != nullptr ? BIO_new(socket_method()) : nullptr;
  if (bio == nullptr) {
    SSL_free(session);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  SSL_set_bio(session, bio, bio);
  return session;
}

Result<std::shared_ptr<TlsContext>> new_context(const SSL_METHOD* method) {
  SSL_CTX* raw = SSL_CTX_new(method);
  if (raw == nullptr) return make_error(ErrorType::kInternalError, "TLS: " + openssl_reason());
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  return std::make_shared<TlsContext>(raw);
}

Result<void> load_pair(SSL_CTX* context, const std::string& chain, const std::string& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, chain.c_str()) != 1) {
    return file_error("certificate", chain);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return file_error("private key", key);
  }
  if (SSL_CTX_check_private_key(context) != 1) return file_error("private key", key);
  return {};
}

// The first certificate of the file; null: there is none.
std::shared_ptr<X509> certificate_in(const std::string& path) {
  const std::unique_ptr<BIO, int (*)(BIO*)> file(BIO_new_file(path.c_str(), "r"), BIO_free);
  X509* const read = file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr;
  return {read, X509_free};
}

bool has_a_name_of(X509* certificate, X509* other) {
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(other, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* const name = static_cast<const ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const unsigned char* const data = ASN1_STRING_get0_data(name);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(name));
    const auto* const text = reinterpret_cast<const char*>(data);
    const int has_it = type == GEN_DNS ? X509_check_host(certificate, text, size, 0, nullptr)
                                       : X509_check_ip(certificate, data, size, 0);
    if (has_it == 1) return true;
  }
  return false;
}

// In place of a chain, a name and a time. Or, where the file has been renewed since the server read
// it: one that an authority has certified for one of its names, whatever address it is reached by.
int is_the_pinned_one(X509_STORE_CTX* shown, void* file) {
  X509* const certificate = X509_STORE_CTX_get0_cert(shown);
  auto* const pinned = static_cast<X509*>(file);
  if (certificate == nullptr) return 0;
  if (X509_cmp(certificate, pinned) == 0) return 1;
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(shown);
  X509_VERIFY_PARAM_set1_ip(parameters, nullptr, 0);
  X509_VERIFY_PARAM_set1_host(parameters, nullptr, 0);
  if (X509_verify_cert(shown) != 1) return 0;
  if (has_a_name_of(certificate, pinned)) return 1;
  X509_STORE_CTX_set_error(shown, X509_V_ERR_CERT_REJECTED);
  return 0;
}

}  // namespace

TlsSession::TlsSession(ssl_st* session) : session_(session) {}
TlsSession::TlsSession(TlsSession&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)), failure_(std::move(other.failure_)) {}
TlsSession::~TlsSession() { SSL_free(session_); }

IoStep TlsSession::step(int result) {
  if (result > 0) return {IoState::kDone, static_cast<std::size_t>(result), true};
  switch (SSL_get_error(session_, result)) {
    case SSL_ERROR_WANT_READ:
      return {IoState::kWaitRead};
    case SSL_ERROR_WANT_WRITE:
      return {IoState::kWaitWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {IoState::kEnd};
    default:
      break;
  }
  const long verified = SSL_get_verify_result(session_);
  failure_ = openssl_reason();
  if (verified != X509_V_OK) failure_ = X509_verify_cert_error_string(verified);
  return {IoState::kFailed};
}

IoStep TlsSession::handshake() {
  ERR_clear_error();
  return step(SSL_do_handshake(session_));
}

IoStep TlsSession::read(std::span<char> buffer) {
  ERR_clear_error();
  const auto size = static_cast<int>(std::min<std::size_t>(buffer.size(), INT_MAX));
  IoStep got = step(SSL_read(session_, buffer.data(), size));
  got.more = got.state == IoState::kDone && has_unread();
  return got;
}

bool TlsSession::has_unread() const { return SSL_has_pending(session_) == 1; }

IoStep TlsSession::write(std::string_view bytes) {
  if (bytes.empty()) return {IoState::kDone};
  ERR_clear_error();
  const auto size = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
  return step(SSL_write(session_, bytes.data(), size));
}

void TlsSession::shutdown() {
  ERR_clear_error();
  if (SSL_is_init_finished(session_) != 0) SSL_shutdown(session_);
  ERR_clear_error();
}

Result<std::shared_ptr<TlsContext>> TlsContext::server(const std::string& certificate_chain,
                                                       const std::string& private_key) {
  Result<std::shared_ptr<TlsContext>> made = new_context(TLS_server_method());
  if (!made) return made;
  const Result<void> loaded = load_pair((*made)->context_, certificate_chain, private_key);
  if (!loaded) return loaded.error();
  return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const ClientFiles& files) {
  Result<std::shared_ptr<TlsContext>> made = new_context(TLS_client_method());
  if (!made) return made;
  SSL_CTX* context = (*made)->context_;
  // Many small records come with one read.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAhead);
  ERR_clear_error();
  if (!files.pinned_file.empty()) {
    (*made)->pinned_ = certificate_in(files.pinned_file);
    if (!(*made)->pinned_) return file_error("certificate", files.pinned_file);
    SSL_CTX_set_cert_verify_callback(context, is_the_pinned_one, (*made)->pinned_.get());
  }
  if (files.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, files.ca_file.c_str(), nullptr) != 1) {
    return file_error("CA file", files.ca_file);
  }
  if (!files.certificate_file.empty()) {
    const Result<void> loaded = load_pair(context, files.certificate_file, files.key_file);
    if (!loaded) return loaded.error();
  }
  (*made)->verify_peer_ = files.verify_peer;
  SSL_CTX_set_verify(context, files.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

TlsSession TlsContext::accept(int socket) const {
  SSL* session = new_session(context_, socket);
  SSL_set_accept_state(session);
  return TlsSession(session);
}

TlsSession TlsContext::connect(int socket, const std::string& host) const {
  SSL* session = new_session(context_, socket);
  SSL_set_connect_state(session);
  TlsSession owner(session);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(session);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  if (!is_address) {
    ERR_clear_error();
    SSL_set_tlsext_host_name(session, host.c_str());
    if (verify_peer_) SSL_set1_host(session, host.c_str());
  }
  return owner;
}

}  // namespace relay::http
