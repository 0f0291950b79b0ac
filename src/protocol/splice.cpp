#include "protocol/splice.hpp"

#include <algorithm>

namespace relay {

std::string splice(std::string_view bytes, Edits edits) {
  std::sort(edits.begin(), edits.end(),
            [](const Edit& a, const Edit& b) { return a.where.offset < b.where.offset; });
  std::size_t size = bytes.size();
  for (const Edit& edit : edits) size += edit.with.size() - edit.where.size;
  std::string out;
  out.reserve(size + Frame::kPadding);
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    out.append(bytes, at, edit.where.offset - at);
    out.append(edit.with);
    at = edit.where.offset + edit.where.size;
  }
  out.append(bytes, at);
  return out;
}

void translate_session(const Frame& frame, std::string_view from_json, std::string_view to_json,
                       Edits& edits) {
  const auto is_edited = [&edits](const Span& reference) {
    return std::any_of(edits.begin(), edits.end(), [&](const Edit& edit) {
      return edit.where.offset == reference.offset && edit.where.size == reference.size;
    });
  };
  for (const Span& reference : frame.envelope().session_references) {
    if (frame.text(reference) != from_json || is_edited(reference)) continue;
    edits.push_back({reference, to_json});
  }
}

}  // namespace relay
