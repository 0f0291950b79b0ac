// Replaces parts of a frame's bytes: one allocation at most, everything else byte for byte as it
// came.
#pragma once

#include "protocol/frame.hpp"

#include <boost/container/small_vector.hpp>

#include <string>
#include <string_view>

namespace relay {

struct Edit {
  Span where;             // replaced; `size` 0 inserts at `offset`
  std::string_view with;  // must outlive the splice
};

using Edits = boost::container::small_vector<Edit, 8>;

// Edits may come in any order and must not overlap.
std::string splice(std::string_view bytes, Edits edits);
// The same in the bytes of a frame that nobody needs any more: they have room for a few more. The
// texts of the edits lie elsewhere.
std::string splice(Frame frame, Edits edits);

// Adds an edit for every reference to the session `from` (JSON text, quotes included) in the frame,
// unless `edits` replaces it already: a request's id may be spelled like a session's.
// Which strings are references is decided by Frame::parse; watch only ids of at least
// kUnmistakableId characters there: an agent may call its session "1", and its text must not change
// for that.
inline constexpr std::size_t kUnmistakableId = 16;
void translate_session(const Frame& frame, std::string_view from_json, std::string_view to_json,
                       Edits& edits);

}  // namespace relay
