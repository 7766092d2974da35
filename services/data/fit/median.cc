#include "services/data/fit/median.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <iterator>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr unsigned kDigitBits = 16;  // looked at in a pass
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
constexpr unsigned kKeyBits = 64;
constexpr std::int64_t kGatheredMax = std::int64_t{1} << 19;

// Whole numbers in the order of the doubles; -0 is 0.
std::uint64_t KeyOf(double number) {
  const auto bits = std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

double NumberOf(std::uint64_t key) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
  return std::bit_cast<double>((key & kSign) != 0 ? key & ~kSign : ~key);
}

// A number that is looked for: the one of `rank` among those that begin with `prefix`.
struct Target {
  std::int64_t rank = 0;
  std::uint64_t prefix = 0;
  unsigned bits = 0;       // of the prefix
  std::int64_t among = 0;  // so many begin with it

  [[nodiscard]] bool Matches(std::uint64_t key) const {
    return bits == 0 || key >> (kKeyBits - bits) == prefix;
  }

  [[nodiscard]] std::size_t Digit(std::uint64_t key) const {
    return (key >> (kKeyBits - bits - kDigitBits)) % kDigits;
  }

  // Goes on to the digit in which the rank falls.
  void Narrow(const std::vector<std::int64_t>& counts) {
    std::size_t digit = 0;
    for (; rank >= counts[digit]; ++digit) {
      rank -= counts[digit];
    }
    prefix = prefix * kDigits + digit;
    bits += kDigitBits;
    among = counts[digit];
  }

  [[nodiscard]] bool IsFound() const { return bits == kKeyBits; }
};

// Every number that the target is among, which are few.
absl::StatusOr<std::vector<double>> Gather(const Target& target, NumberSource numbers) {
  std::vector<double> gathered;
  gathered.reserve(static_cast<std::size_t>(target.among));
  RETURN_IF_ERROR(numbers([&](std::span<const double> some) {
    std::copy_if(some.begin(), some.end(), std::back_inserter(gathered), [&](double number) {
      return target.Matches(KeyOf(number));
    });
  }));
  CHECK(static_cast<std::int64_t>(gathered.size()) == target.among);
  return gathered;
}

absl::StatusOr<double> Find(Target target, NumberSource numbers) {
  while (!target.IsFound() && target.among > kGatheredMax) {
    std::vector<std::int64_t> counts(kDigits);
    const auto count = [&](std::span<const double> some) {
      for (const double number : some) {
        const std::uint64_t key = KeyOf(number);
        counts[target.Digit(key)] += target.Matches(key) ? 1 : 0;
      }
    };
    RETURN_IF_ERROR(numbers(count));
    target.Narrow(counts);
  }
  if (target.IsFound()) {
    return NumberOf(target.prefix);
  }
  ASSIGN_OR_RETURN(std::vector<double> gathered, Gather(target, numbers));
  const auto place = gathered.begin() + static_cast<std::ptrdiff_t>(target.rank);
  std::nth_element(gathered.begin(), place, gathered.end());
  return *place;
}

}  // namespace

LeadingCounts::LeadingCounts() : counts_(kDigits) {}

void LeadingCounts::Add(std::span<const double> numbers) {
  for (const double number : numbers) {
    ++counts_[KeyOf(number) >> (kKeyBits - kDigitBits)];
  }
  count_ += static_cast<std::int64_t>(numbers.size());
}

absl::StatusOr<double> Median(const LeadingCounts& counts, NumberSource numbers) {
  CHECK(counts.count() > 0);
  Target upper{.rank = counts.count() / 2};
  upper.Narrow(counts.counts_);
  if (counts.count() % 2 == 1) {
    return Find(upper, numbers);
  }
  Target lower{.rank = counts.count() / 2 - 1};
  lower.Narrow(counts.counts_);
  if (lower.prefix == upper.prefix && upper.among <= kGatheredMax) {
    ASSIGN_OR_RETURN(std::vector<double> gathered, Gather(upper, numbers));
    const auto place = gathered.begin() + static_cast<std::ptrdiff_t>(upper.rank);
    std::nth_element(gathered.begin(), place, gathered.end());
    return *std::max_element(gathered.begin(), place) / 2 + *place / 2;
  }
  ASSIGN_OR_RETURN(const double above, Find(upper, numbers));
  ASSIGN_OR_RETURN(const double below, Find(lower, numbers));
  return below / 2 + above / 2;  // halves cannot overflow
}

}  // namespace millrace::data
