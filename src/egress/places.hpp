// Places for connections, of all sessions together. A session that has its share leaves the last
// quarter of them to the others, so that a few greedy ones can't have them all. Pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace relay::egress {

// A session; compared only. Null: nobody, as for a connection that is kept for whoever comes.
using Holder = const void*;

// How many places one session may have when no more than a quarter is left. 0: any number, for
// there are too few to share.
std::size_t share_of(std::size_t most);

// Behind the number of those that are taken: why one more was refused.
std::string of_share(std::size_t most);

class Places {
  struct State;

 public:
  // Free again at its end, which may be behind that of the Places.
  class Place {
   public:
    Place(std::shared_ptr<State> state, Holder holder);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    void give_to(Holder holder);

   private:
    std::shared_ptr<State> state_;
    Holder holder_;
  };

  explicit Places(std::size_t most);

  // Null: there is none for it.
  std::shared_ptr<Place> take(Holder holder);
  std::size_t taken() const;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace relay::egress
