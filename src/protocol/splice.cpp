#include "protocol/splice.hpp"

#include <algorithm>

namespace relay {

namespace {

// With more edits, moving what is behind each of them costs more than a copy.
constexpr std::size_t kFewEdits = 2;

bool is_before(const Edit& a, const Edit& b) { return a.where.offset < b.where.offset; }

}  // namespace

std::string splice(Frame frame, Edits edits) {
  if (edits.size() > kFewEdits) return splice(frame.bytes(), std::move(edits));
  std::sort(edits.begin(), edits.end(), is_before);
  std::string bytes = std::move(frame).take_bytes();
  for (std::size_t at = edits.size(); at-- > 0;) {
    bytes.replace(edits[at].where.offset, edits[at].where.size, edits[at].with);
  }
  return bytes;
}

std::string splice(std::string_view bytes, Edits edits) {
  std::sort(edits.begin(), edits.end(), is_before);
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
  const auto others =
      static_cast<std::ptrdiff_t>(edits.size());  // a frame may have many references
  const auto is_edited = [&edits, others](const Span& reference) {
    return std::any_of(edits.begin(), edits.begin() + others, [&](const Edit& edit) {
      return edit.where.offset == reference.offset && edit.where.size == reference.size;
    });
  };
  for (const Span& reference : frame.envelope().session_references) {
    if (frame.text(reference) != from_json || is_edited(reference)) continue;
    edits.push_back({reference, to_json});
  }
}

}  // namespace relay
