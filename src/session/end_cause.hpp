// Why a session is closed, as the log has it. Pure.
#pragma once

#include <string_view>

namespace relay {

// Its agent ended, or what befell that ended it, by nobody's wish: it has not been given up. What
// the agent left behind stays, and another one may go on with it.
bool ended_by_itself(std::string_view cause);

}  // namespace relay
