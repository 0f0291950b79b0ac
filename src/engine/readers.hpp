// The Engine's JSON as values, and its refusals as errors. Pure; every reader bears any input.
#pragma once

#include "base/result.hpp"
#include "engine/values.hpp"

#include <string_view>
#include <vector>

namespace relay::engine {

Result<EngineVersion> read_version(std::string_view json);
Result<EngineInfo> read_info(std::string_view json);
Result<ImageFacts> read_image(std::string_view json);
Result<std::string> read_created(std::string_view json);  // the container's id
Result<ContainerFacts> read_container(std::string_view json);
Result<std::vector<ContainerSummary>> read_list(std::string_view json);
Result<ContainerUsage> read_usage(std::string_view json);
Result<int> read_wait(std::string_view json);
Result<EngineEvent> read_event(std::string_view line);
Result<PullLine> read_pull_line(std::string_view line);

// The `message` of an error body; the beginning of the body when it is something else.
std::string refusal(std::string_view body);

}  // namespace relay::engine
