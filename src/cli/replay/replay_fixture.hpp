// Exported sessions for tests, in few words. Included by tests only.
#pragma once

#include "cli/replay/recording.hpp"
#include "cli/rpc.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relay::cli {

inline constexpr const char* kRecordedSession = "sess_00112233445566778899aabbccddeeff";

// Writes an export line by line.
class ExportText {
 public:
  ExportText& client(const std::string& method, const std::string& params,
                     const std::string& id = {}) {
    return line("client_to_relay", method, id, "\"params\":" + params);
  }
  ExportText& agent(const std::string& method, const std::string& params,
                    const std::string& id = {}) {
    return line("agent_to_relay", method, id, "\"params\":" + params);
  }
  ExportText& response(const std::string& direction, const std::string& id,
                       const std::string& member) {
    return line(direction, {}, id, member);
  }
  ExportText& update(const std::string& update) {
    return agent("session/update", std::string(R"({"sessionId":")") + kRecordedSession +
                                       R"(","update":)" + update + "}");
  }
  ExportText& chunk(const std::string& text) {
    return update(R"({"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":")" +
                  text + "\"}}");
  }
  ExportText& prompt(const std::string& id, const std::string& text) {
    return client("session/prompt",
                  R"({"sessionId":"sess_1","content":[{"type":"text","text":")" + text + "\"}]}",
                  id);
  }
  ExportText& end(const std::string& id, const std::string& reason) {
    return response("agent_to_relay", id, R"("result":{"stopReason":")" + reason + "\"}");
  }
  ExportText& later(int milliseconds) {
    time_ += milliseconds;
    return *this;
  }

  std::string text() const {
    return std::string(R"({"type":"session","format":"acp-relay-session","version":1,"id":")") +
           kRecordedSession + R"(","agentSessionId":"inner","workingDirectory":"/srv/project",)" +
           R"("createdAt":"2026-01-31T08:00:00.000Z","isolation":"process","lastSequence":)" +
           std::to_string(sequence_) + "}\n" + lines_;
  }
  Recording read() const {
    auto recording = read_recording(text());
    EXPECT_TRUE(recording) << recording.error().text;
    return recording ? std::move(*recording) : Recording{};
  }

 private:
  ExportText& line(const std::string& direction, const std::string& method, const std::string& id,
                   const std::string& member) {
    const std::string type = method.empty() ? "response" : id.empty() ? "notification" : "request";
    const std::string milliseconds = std::to_string(1000 + time_ % 1000).substr(1);
    lines_ += R"({"type":"message","sequence":)" + std::to_string(++sequence_) +
              R"(,"direction":")" + direction + R"(","messageType":")" + type + R"(","method":)" +
              (method.empty() ? "null" : '"' + method + '"') + R"(,"jsonrpcId":)" +
              (id.empty() ? "null" : id) + R"(,"timestamp":"2026-01-31T08:00:0)" +
              std::to_string(time_ / 1000) + "." + milliseconds +
              R"(Z","message":{"jsonrpc":"2.0",)" + (id.empty() ? "" : "\"id\":" + id + ",") +
              (method.empty() ? "" : R"("method":")" + method + "\",") + member + "}}\n";
    return *this;
  }

  std::string lines_;
  int sequence_ = 0;
  int time_ = 0;
};

}  // namespace relay::cli
