#include "services/serving/route/route.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/status/status.h"

namespace millrace::serving {

namespace {

constexpr std::int32_t kPercentMax = 100;

absl::Status CheckShares(const std::vector<v1::RouteShare>& shares,
                         std::span<const std::int32_t> versions) {
  std::set<std::int32_t> seen;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const v1::RouteShare& share = shares[i];
    if (share.percent() < 1 || share.percent() > kPercentMax) {
      return InvalidArgument(
          "route.shares[{}].percent must be in [1, 100], found {}", i, share.percent());
    }
    if (!seen.insert(share.version()).second) {
      return InvalidArgument("route.shares[{}] names a version again: {}", i, share.version());
    }
    if (std::find(versions.begin(), versions.end(), share.version()) == versions.end()) {
      return NotFound(
          "route.shares[{}] names a version that does not exist: {}", i, share.version());
    }
    sum += share.percent();
  }
  if (!shares.empty() && sum != kPercentMax) {
    return InvalidArgument("route.shares must sum to 100 percent, found {}", sum);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Route> Route::Create(std::vector<v1::RouteShare> shares,
                                    std::span<const std::int32_t> versions) {
  RETURN_IF_ERROR(CheckShares(shares, versions));
  return Route(std::move(shares), *std::max_element(versions.begin(), versions.end()));
}

Route::Route(std::vector<v1::RouteShare> shares, std::int32_t newest) : shares_(std::move(shares)) {
  if (shares_.empty()) {
    preferred_ = newest;
    turns_.fill(newest);
    return;
  }
  // Smooth weighted round robin: each turn everyone gains its share, and the richest is chosen and
  // pays 100. After 100 turns all debts are settled, so each was chosen exactly as often as its
  // share says.
  std::vector<std::int32_t> credits(shares_.size(), 0);
  for (std::int32_t& turn : turns_) {
    std::size_t richest = 0;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      credits[i] += shares_[i].percent();
      richest = credits[i] > credits[richest] ? i : richest;
    }
    credits[richest] -= kPercentMax;
    turn = shares_[richest].version();
  }
  const auto is_less = [](const v1::RouteShare& a, const v1::RouteShare& b) {
    return std::pair(a.percent(), a.version()) < std::pair(b.percent(), b.version());
  };
  preferred_ = std::max_element(shares_.begin(), shares_.end(), is_less)->version();
}

std::int32_t Route::PercentOf(std::int32_t version) const {
  return static_cast<std::int32_t>(std::count(turns_.begin(), turns_.end(), version));
}

}  // namespace millrace::serving
