// Route: which version of a model answers the next request.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

namespace millrace::serving {

/// The shares of a model's versions in its traffic. Immutable, thread-safe; choosing is a function
/// of the request's place in the model's traffic, so that shares hold exactly: of every 100
/// consecutive requests a share of 10 % gets 10, spread evenly.
class Route {
 public:
  /// `shares` as SetRoute takes them; none means that the newest version gets everything.
  /// `versions` are the model's. INVALID_ARGUMENT, naming the field, for a share out of [1, 100], a
  /// version named twice or a sum that is not 100; NOT_FOUND for a version that does not exist.
  /// Requires: `versions` is not empty.
  static absl::StatusOr<Route> Create(std::vector<v1::RouteShare> shares,
                                      std::span<const std::int32_t> versions);

  /// The version that answers request number `ticket` of the model's traffic.
  [[nodiscard]] std::int32_t Choose(std::uint64_t ticket) const {
    return turns_[ticket % turns_.size()];
  }

  /// Whether every request gets the same version, so that no ticket is needed.
  [[nodiscard]] bool IsSingle() const { return shares_.size() <= 1; }

  /// The version with the largest share; the newer one of equals.
  [[nodiscard]] std::int32_t preferred() const { return preferred_; }

  /// The version's share now, in percent.
  [[nodiscard]] std::int32_t PercentOf(std::int32_t version) const;

  /// As given to Create().
  [[nodiscard]] const std::vector<v1::RouteShare>& shares() const { return shares_; }

 private:
  static constexpr std::size_t kTurns = 100;

  Route(std::vector<v1::RouteShare> shares, std::int32_t newest);

  std::vector<v1::RouteShare> shares_;
  std::int32_t preferred_ = 0;
  std::array<std::int32_t, kTurns> turns_{};  // the version at each place of a hundred
};

}  // namespace millrace::serving
