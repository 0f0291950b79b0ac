#include "session/audience.hpp"

namespace relay {
namespace {

// What waited for the log and was read from there meanwhile. Questions are no part of a replay.
bool has_it(const Delivery& delivery, const Receiver& receiver) {
  return delivery.sequence > 0 && delivery.sequence <= receiver.replayed &&
         delivery.kind != DeliveryKind::kRequest;
}

Share share_of_its_own(const Delivery& delivery, const Receiver& receiver) {
  if (receiver.feed && has_it(delivery, receiver)) return Share::kNothing;
  if (receiver.live || delivery.sequence == 0) return Share::kMessage;
  return delivery.kind == DeliveryKind::kResponse ? Share::kLater : Share::kNothing;
}

}  // namespace

Share share_of(const Audience& audience, const Delivery& delivery, const Receiver& receiver) {
  if (audience.only == receiver.id) return share_of_its_own(delivery, receiver);
  const bool is_for_all = audience.only == ClientId();
  const bool is_excepted = is_for_all && audience.except == receiver.id;
  if (!receiver.live) return is_excepted ? Share::kOwnForm : Share::kNothing;
  if (is_excepted || has_it(delivery, receiver)) return Share::kNothing;
  const bool is_shown = is_for_all ? !receiver.own_turns_only || receiver.id == audience.turn_of
                                   : receiver.feed && delivery.kind == DeliveryKind::kResponse;
  return is_shown ? Share::kMessage : Share::kNothing;
}

}  // namespace relay
