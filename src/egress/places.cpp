#include "egress/places.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace relay::egress {

std::size_t share_of(std::size_t most) { return most / 64; }

std::string of_share(std::size_t most) {
  const std::size_t share = share_of(most);
  if (share == 0) return {};
  return ", and the last quarter of " + std::to_string(most) +
         " is for sessions that have less than " + std::to_string(share);
}

struct Places::State {
  const std::size_t most;
  std::size_t taken = 0;
  std::unordered_map<Holder, std::size_t> held;

  bool has_one_for(Holder holder) const {
    if (taken >= most) return false;
    const std::size_t share = share_of(most);
    if (share == 0 || taken < most - most / 4) return true;
    const auto own = held.find(holder);
    return own == held.end() || own->second < share;
  }
  void leave(Holder holder) {
    const auto own = held.find(holder);
    if (--own->second == 0) held.erase(own);
  }
};

Places::Place::Place(std::shared_ptr<State> state, Holder holder)
    : state_(std::move(state)), holder_(holder) {
  ++state_->held[holder_];
  ++state_->taken;
}

Places::Place::~Place() {
  state_->leave(holder_);
  --state_->taken;
}

void Places::Place::give_to(Holder holder) {
  ++state_->held[holder];
  state_->leave(std::exchange(holder_, holder));
}

Places::Places(std::size_t most) : state_(std::make_shared<State>(State{most, 0, {}})) {}

std::shared_ptr<Places::Place> Places::take(Holder holder) {
  return state_->has_one_for(holder) ? std::make_shared<Place>(state_, holder) : nullptr;
}

std::size_t Places::taken() const { return state_->taken; }

}  // namespace relay::egress
