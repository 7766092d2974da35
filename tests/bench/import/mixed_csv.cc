#include "tests/bench/import/mixed_csv.h"

#include <array>
#include <cstdio>
#include <iterator>
#include <memory>

#include <fmt/format.h>

#include "common/clock/random.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr int kReals = 12;
constexpr int kIntegers = 4;
constexpr std::array<const char*, 6> kRegions = {"north", "south", "east", "west", "centre", "NA"};
constexpr std::array<const char*, 8> kWords = {"mild",
                                               "\"\"severe\"\"",
                                               "stable",
                                               "after, and before,",
                                               "cough",
                                               "pain",
                                               "none seen",
                                               "left"};

std::string Header() {
  std::string header = "id";
  for (int i = 0; i < kReals; ++i) {
    header += fmt::format(",real_{}", i);
  }
  for (int i = 0; i < kIntegers; ++i) {
    header += fmt::format(",count_{}", i);
  }
  return header + ",region,member,seen,note,outcome\n";
}

void AppendRow(std::int64_t row, Random& random, std::string& text) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "{}", 1'000'000 + row);
  double sum = 0;
  for (int i = 0; i < kReals; ++i) {
    if (random.Below(100) < 3) {
      text += ',';
      continue;
    }
    // Six significant digits on scales from hundredths to thousands.
    const double value = static_cast<double>(random.Below(1'000'000)) / (i < 6 ? 1e6 : 1e3);
    sum += i == 0 ? value : 0;
    fmt::format_to(out, ",{:.6g}", i % 3 == 0 ? value - 0.5 : value);
  }
  for (int i = 0; i < kIntegers; ++i) {
    fmt::format_to(out, ",{}", random.Below(i < 2 ? 100 : 100'000));
  }
  fmt::format_to(out, ",{},{}", kRegions.at(random.Below(6)), random.Below(2) == 0 ? "no" : "yes");
  fmt::format_to(out,
                 ",20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                 random.Below(25),
                 1 + random.Below(12),
                 1 + random.Below(28),
                 random.Below(24),
                 random.Below(60),
                 random.Below(60));
  text += ",\"";
  for (int i = 0; i < 5; ++i) {
    text += kWords.at(random.Below(8));
    text += ' ';
  }
  fmt::format_to(out, "case {}\"", random.Below(10'000'000));
  const bool positive = sum + static_cast<double>(random.Below(1000)) / 1e3 > 1;
  fmt::format_to(out, ",{}\n", positive ? "ill" : "well");
}

}  // namespace

absl::Status WriteMixedCsv(const std::string& path, std::int64_t bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             std::fclose);
  if (file == nullptr) {
    return Unavailable("cannot create {}", path);
  }
  constexpr std::size_t kBufferBytes = std::size_t{1} << 20U;
  Random random(2026);
  std::string text = Header();
  std::int64_t written = 0;
  for (std::int64_t row = 0; written < bytes; ++row) {
    AppendRow(row, random, text);
    const bool last = written + static_cast<std::int64_t>(text.size()) >= bytes;
    if (text.size() < kBufferBytes && !last) {
      continue;
    }
    if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) {
      return Unavailable("cannot write {}", path);
    }
    written += static_cast<std::int64_t>(text.size());
    text.clear();
  }
  return absl::OkStatus();
}

}  // namespace millrace::data
