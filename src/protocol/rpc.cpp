#include "protocol/rpc.hpp"

#include "base/error_advice.hpp"
#include "protocol/json_text.hpp"

namespace relay::rpc {
namespace {

std::string string_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    append_json_string(out, item);
  }
  out += ']';
  return out;
}

// With what usually holds when there is nothing better.
std::string list_or(const std::vector<std::string>& items, std::string_view usual) {
  return items.empty() ? string_list({std::string(usual)}) : string_list(items);
}

std::string state_object(const Error& error) {
  JsonObject state;
  for (const auto& [key, value] : error.state) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      state.text(key, *text);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      state.number(key, *number);
    } else {
      state.boolean(key, std::get<bool>(value));
    }
  }
  return state.take();
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::size_t size = Frame::kPadding;
  for (const std::string_view part : parts) size += part.size();
  std::string out;
  out.reserve(size);
  for (const std::string_view part : parts) out += part;
  return out;
}

}  // namespace

std::string request(std::string_view id, std::string_view method, std::string_view params) {
  return joined({R"({"jsonrpc":"2.0","id":)", id, R"(,"method":")", method, R"(","params":)",
                 params.empty() ? "{}" : params, "}"});
}

std::string notification(std::string_view method, std::string_view params) {
  return joined({R"({"jsonrpc":"2.0","method":")", method, R"(","params":)",
                 params.empty() ? "{}" : params, "}"});
}

std::string result(std::string_view id, std::string_view result) {
  return joined({R"({"jsonrpc":"2.0","id":)", id, R"(,"result":)", result, "}"});
}

int error_code(ErrorType type, Dialect dialect) {
  switch (type) {
    case ErrorType::kParseError:
      return kParseError;
    case ErrorType::kInvalidRequest:
      return kInvalidRequest;
    case ErrorType::kMethodNotFound:
      return kMethodNotFound;
    case ErrorType::kInvalidParams:
      return kInvalidParams;
    case ErrorType::kInternalError:
      return kInternalError;
    case ErrorType::kSessionNotFound:
      return dialect == Dialect::kAcp ? -32002 : -32000;
    default:
      return dialect == Dialect::kAcp ? kInternalError : -32000;
  }
}

std::string error_object(const Error& error, Dialect dialect) {
  if (dialect == Dialect::kAcp && !error.agent_error.empty()) return error.agent_error;
  const Advice usual = usual_advice(error.type);
  JsonObject data;
  data.text("error_type", to_string(error.type))
      .text("explanation", error.explanation)
      .raw("possible_causes", list_or(error.possible_causes, usual.cause))
      .raw("suggested_actions", list_or(error.suggested_actions, usual.action))
      .raw("relevant_state", state_object(error))
      .boolean("recoverable", error.recoverable);
  if (!error.details.empty()) data.text("details", error.details);
  return JsonObject()
      .number("code", error_code(error.type, dialect))
      .text("message", error.explanation)
      .raw("data", data.take())
      .take();
}

std::string error(std::string_view id, const Error& error, Dialect dialect) {
  return joined(
      {R"({"jsonrpc":"2.0","id":)", id, R"(,"error":)", error_object(error, dialect), "}"});
}

std::string plain_error(std::string_view id, int code, std::string_view message) {
  const std::string object = JsonObject().number("code", code).text("message", message).take();
  return joined({R"({"jsonrpc":"2.0","id":)", id, R"(,"error":)", object, "}"});
}

Error to_error(const FrameError& refused) {
  const bool not_json = refused.kind == FrameError::Kind::kNotJson;
  Error error = make_error(not_json ? ErrorType::kParseError : ErrorType::kInvalidRequest,
                           refused.explanation);
  switch (refused.kind) {
    case FrameError::Kind::kNotJson:
      error.possible_causes = {"the text was cut off or is not UTF-8", "several messages in one"};
      error.suggested_actions = {"send exactly one complete JSON text in UTF-8"};
      break;
    case FrameError::Kind::kBatch:
      error.suggested_actions = {"send the messages of the batch one by one"};
      break;
    case FrameError::Kind::kDuplicateKey:
      error.suggested_actions = {"send every member of the message once"};
      break;
    case FrameError::Kind::kTooDeep:
      error.suggested_actions = {"nest less deeply", "raise server.max_json_depth"};
      break;
    case FrameError::Kind::kInvalid:
      error.suggested_actions = {
          R"(send {"jsonrpc":"2.0","id":1,"method":"session/list","params":{}} or alike)"};
      break;
  }
  error.recoverable = true;
  return error;
}

}  // namespace relay::rpc
