#include "config/upstream_presets.hpp"

#include <algorithm>

namespace relay::config {
namespace {

CredentialConfig in_header(std::string name, std::string prefix = "") {
  CredentialConfig credential;
  credential.header = std::move(name);
  credential.prefix = std::move(prefix);
  return credential;
}

CredentialConfig bearer() { return in_header("Authorization", "Bearer "); }

std::vector<AllowConfig> rules(const std::vector<std::string>& posted,
                               const std::vector<std::string>& read) {
  std::vector<AllowConfig> all;
  for (const std::string& path : posted) all.push_back({{"POST"}, path});
  for (const std::string& path : read) all.push_back({{"GET"}, path});
  return all;
}

UpstreamConfig preset(std::string name, std::string url, CredentialConfig credential,
                      std::vector<AllowConfig> allow) {
  UpstreamConfig made;
  made.name = std::move(name);
  made.url = std::move(url);
  made.credential = std::move(credential);
  made.allow = std::move(allow);
  return made;
}

std::vector<UpstreamConfig> make_presets() {
  return {
      preset("anthropic", "https://api.anthropic.com", in_header("x-api-key"),
             rules({"/v1/messages", "/v1/messages/count_tokens"}, {"/v1/models/**"})),
      // GET of responses is the upgrade to a WebSocket; Codex compacts and keeps memories there.
      preset("openai", "https://api.openai.com", bearer(),
             rules({"/v1/responses", "/v1/responses/compact", "/v1/responses/input_tokens",
                    "/v1/chat/completions", "/v1/embeddings", "/v1/memories/trace_summarize"},
                   {"/v1/responses", "/v1/models/**"})),
      preset("gemini", "https://generativelanguage.googleapis.com", in_header("x-goog-api-key"),
             rules({"/v1beta/models/*:generateContent", "/v1beta/models/*:streamGenerateContent",
                    "/v1beta/models/*:countTokens", "/v1beta/models/*:embedContent",
                    "/v1beta/models/*:batchEmbedContents"},
                   {"/v1beta/models/**"})),
      preset("openrouter", "https://openrouter.ai/api", bearer(),
             rules({"/v1/chat/completions", "/v1/responses", "/v1/messages",
                    "/v1/messages/count_tokens", "/v1/embeddings"},
                   {"/v1/models/**"})),
      preset("ollama", "http://127.0.0.1:11434", {},
             rules({"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages",
                    "/v1/embeddings", "/api/chat", "/api/generate", "/api/embed", "/api/embeddings",
                    "/api/show"},
                   {"/v1/models/**", "/api/tags", "/api/ps", "/api/version"})),
  };
}

}  // namespace

const std::vector<UpstreamConfig>& upstream_presets() {
  static const std::vector<UpstreamConfig> kPresets = make_presets();
  return kPresets;
}

const UpstreamConfig* find_upstream_preset(std::string_view name) {
  const auto found = std::ranges::find(upstream_presets(), name, &UpstreamConfig::name);
  return found != upstream_presets().end() ? &*found : nullptr;
}

std::string upstream_preset_names() {
  std::string names;
  for (const UpstreamConfig& known : upstream_presets()) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

}  // namespace relay::config
