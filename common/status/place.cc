#include "common/status/place.h"

#include <cstddef>

#include "common/status/status.h"

namespace millrace {

namespace {

constexpr char kPlaceUrl[] = "millrace/place";
constexpr std::string_view kInstead = "a file of the service";

}  // namespace

absl::Status WithPlace(absl::Status status, std::string_view path) {
  status.SetPayload(kPlaceUrl, absl::Cord(std::string(path)));
  return status;
}

std::string Place(const absl::Status& status) {
  const auto payload = status.GetPayload(kPlaceUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

std::string MessageWithoutPlace(const absl::Status& status) {
  std::string message(Message(status));
  const std::string place = Place(status);
  for (std::size_t at = place.empty() ? std::string::npos : message.find(place);
       at != std::string::npos;
       at = message.find(place, at + kInstead.size())) {
    message.replace(at, place.size(), kInstead);
  }
  return message;
}

}  // namespace millrace
