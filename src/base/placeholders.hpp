// Words in braces that stand for something which is known later: "{upstream:own}/v1". Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

// `text` with each "{...}" replaced by what `meaning` gives for the words between the braces; what
// it gives nothing for stays as it is.
std::string replace_placeholders(
    std::string_view text,
    const std::function<std::optional<std::string>(std::string_view words)>& meaning);

}  // namespace relay
