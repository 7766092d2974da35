#include "common/statistics/frequent_texts.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace millrace::statistics {

void FrequentTexts::Add(std::uint64_t hash, const PartCounts& counts) {
  Entry& entry = entries_[hash];
  for (std::size_t part = 0; part < counts.size(); ++part) {
    entry.parts[part] += counts[part];
    entry.total += counts[part];
    rows_ += counts[part];
  }
  if (entries_.size() > kExactMax) {
    Drop();
  }
}

// Takes so much off every total that at most half of the texts stay.
void FrequentTexts::Drop() {
  std::vector<std::int64_t> totals;
  totals.reserve(entries_.size());
  for (const auto& entry : entries_) {
    totals.push_back(entry.second.total);
  }
  const auto middle = totals.begin() + kExactMax / 2;
  std::nth_element(totals.begin(), middle, totals.end(), std::greater<>());
  const std::int64_t off = *middle;
  taken_off_ += off;
  absl::erase_if(entries_, [off](auto& entry) {
    entry.second.total -= off;
    return entry.second.total <= 0;
  });
}

bool FrequentTexts::NeedsCount() {
  if (taken_off_ == 0) {
    return false;
  }
  const std::int64_t least = rows_ / kShare - taken_off_;  // fewer cannot be frequent
  absl::erase_if(entries_, [least](const auto& entry) { return entry.second.total <= least; });
  for (auto& entry : entries_) {
    entry.second = {};
  }
  return !entries_.empty();
}

void FrequentTexts::Count(std::uint64_t hash, const PartCounts& counts) {
  const auto found = entries_.find(hash);
  if (found == entries_.end()) {
    return;
  }
  for (std::size_t part = 0; part < counts.size(); ++part) {
    found->second.parts[part] += counts[part];
    found->second.total += counts[part];
  }
}

void FrequentTexts::Name(std::uint64_t hash, std::string_view text) {
  const auto found = entries_.find(hash);
  if (found == entries_.end() || found->second.named) {
    return;
  }
  Entry& entry = found->second;
  entry.named = true;
  const std::int64_t more_than = taken_off_ == 0 ? 0 : rows_ / kShare;
  if (entry.total <= more_than) {
    return;
  }
  for (std::size_t part = 0; part < entry.parts.size(); ++part) {
    Insert(text, entry.parts[part], top_[part]);
  }
  Insert(text, entry.total, top_.back());
}

void FrequentTexts::Insert(std::string_view text, std::int64_t count, std::vector<Frequent>& top) {
  const auto is_before = [&](const Frequent& other) {
    return count != other.count ? count > other.count : text < other.text;
  };
  if (count == 0 || (top.size() == kTopMax && !is_before(top.back()))) {
    return;
  }
  const auto place = std::find_if(top.begin(), top.end(), is_before);
  top.insert(place, {.text = std::string(text), .count = count});
  if (top.size() > kTopMax) {
    top.pop_back();
  }
}

}  // namespace millrace::statistics
