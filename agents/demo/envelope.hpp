// The outside of a JSON-RPC message, found without building a tree.
//
// Pure. The parts are views of the line, byte for byte: an id goes back exactly as it came.
#pragma once

#include <string_view>

namespace demo {

enum class EnvelopeKind {
  kObject,     // the parts below are set
  kOther,      // JSON, perhaps, but no object: an array, a number
  kMalformed,  // cut off, or not JSON
};

struct Envelope {
  EnvelopeKind kind = EnvelopeKind::kMalformed;
  std::string_view jsonrpc;  // all raw: strings with their quotes; empty when absent
  std::string_view id;
  std::string_view method;
  std::string_view params;
  std::string_view result;
  std::string_view error;
};

// Looks at the structure only: what lies inside the parts is not checked.
Envelope scan_envelope(std::string_view line);

// A string, a number or null.
bool is_valid_id(std::string_view raw);

}  // namespace demo
