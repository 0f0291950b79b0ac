// The way out that a container had under an earlier run of the relay, which this run opens again.
#pragma once

#include "backend/docker/attached_container.hpp"

#include <memory>

namespace relay {

// Opens it, and carries its connections where `carrier` says so; AttachedContainer::carried_by
// tells. Where that fails it is tried again in the background, until the container ends or this
// relay lets go of it. Called once for each container.
Task<void> reopen_way_out(std::shared_ptr<AttachedContainer> container, EgressCarrier carrier);

}  // namespace relay
