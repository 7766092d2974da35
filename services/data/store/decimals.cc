#include "services/data/store/decimals.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace millrace::data {

namespace {

constexpr std::uint32_t kExponentMax = 15;
constexpr std::uint32_t kWidthMax = 7;
constexpr double kWholeMax = 0x1p51;   // of either sign: sums of two are exact, too
constexpr double kRounder = 0x1.8p52;  // added and taken off, it rounds what is below kWholeMax
constexpr double kMantissa = 0x1p52;   // added to a whole number below it, its bits follow
constexpr std::uint64_t kMantissaBits = (std::uint64_t{1} << 52U) - 1;
constexpr std::size_t kLooked = 64;  // numbers that are asked one by one for the exponent

constexpr std::array<double, kExponentMax + 1> kPowers =
    {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

double Round(double number) {
  return number + kRounder - kRounder;
}

// 0 when (whole / power) is `number` to the bit; -0 never is.
std::uint64_t Difference(double whole, double power, double number) {
  return std::bit_cast<std::uint64_t>(whole / power + 0.0) ^ std::bit_cast<std::uint64_t>(number);
}

bool Fits(double number, double power) {
  const double scaled = number * power;
  return std::abs(scaled) <= kWholeMax && Difference(Round(scaled), power, number) == 0;
}

// The smallest exponent from `exponent` on that fits each of `numbers`, above kExponentMax if none.
std::size_t ExponentOf(std::span<const double> numbers, std::size_t exponent) {
  for (const double number : numbers) {
    while (exponent <= kExponentMax && !Fits(number, kPowers[exponent])) {
      ++exponent;
    }
  }
  return exponent;
}

// What numbers are at an exponent.
struct Scaled {
  std::vector<double> wholes;
  double least = 0;
  double greatest = 0;
};

// The loops below have no branches, so that the compiler makes vectors of them.
std::optional<Scaled> Scale(const std::vector<double>& numbers, std::size_t exponent) {
  if (numbers.empty() || exponent > kExponentMax) {
    return std::nullopt;
  }
  const double power = kPowers[exponent];
  Scaled scaled{.wholes = std::vector<double>(numbers.size()), .least = 0, .greatest = 0};
  double least = kWholeMax;
  double greatest = -kWholeMax;
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double whole = Round(numbers[i] * power);
    difference |= Difference(whole, power, numbers[i]);
    least = whole < least ? whole : least;
    greatest = whole > greatest ? whole : greatest;
    scaled.wholes[i] = whole;
  }
  if (difference != 0 || least < -kWholeMax || greatest > kWholeMax ||
      greatest - least >= kMantissa) {
    return std::nullopt;
  }
  scaled.least = least;
  scaled.greatest = greatest;
  return scaled;
}

std::uint32_t WidthOf(double offset) {
  return static_cast<std::uint32_t>(std::bit_width(static_cast<std::uint64_t>(offset)) + 7) / 8;
}

void AppendPlanes(const Scaled& scaled, std::uint32_t width, std::string& bytes) {
  const std::size_t rows = scaled.wholes.size();
  std::vector<std::uint64_t> offsets(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    offsets[i] =
        std::bit_cast<std::uint64_t>(scaled.wholes[i] - scaled.least + kMantissa) & kMantissaBits;
  }
  const std::size_t at = bytes.size();
  bytes.resize(at + rows * width);
  for (std::uint32_t plane = 0; plane < width; ++plane) {
    char* const out = bytes.data() + at + plane * rows;
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = static_cast<char>(offsets[i] >> (8 * plane));
    }
  }
}

}  // namespace

bool AppendDecimals(const std::vector<double>& numbers, std::string& bytes) {
  // What fits at an exponent fits at a larger one too, as long as the digits do: the smallest that
  // fits all is the largest that one of them asks for. The first few mostly tell it.
  const std::span<const double> all(numbers);
  std::size_t exponent = ExponentOf(all.first(std::min(all.size(), kLooked)), 0);
  std::optional<Scaled> scaled = Scale(numbers, exponent);
  if (!scaled.has_value()) {
    exponent = ExponentOf(all, exponent);
    scaled = Scale(numbers, exponent);
  }
  if (!scaled.has_value()) {
    return false;
  }
  const std::uint32_t width = WidthOf(scaled->greatest - scaled->least);
  AppendTo(bytes, static_cast<std::uint32_t>(exponent));
  AppendTo(bytes, width);
  AppendTo(bytes, static_cast<std::int64_t>(scaled->least));
  AppendPlanes(*scaled, width, bytes);
  return true;
}

bool TakeDecimals(std::size_t rows, ByteReader& reader, std::vector<double>& numbers) {
  std::uint32_t exponent = 0;
  std::uint32_t width = 0;
  std::int64_t base = 0;
  if (!reader.Take(exponent) || exponent > kExponentMax || !reader.Take(width) ||
      width > kWidthMax || !reader.Take(base) || std::abs(static_cast<double>(base)) > kWholeMax) {
    return false;
  }
  std::vector<std::uint64_t> offsets(rows, std::bit_cast<std::uint64_t>(kMantissa));
  std::uint64_t all = 0;
  for (std::uint32_t plane = 0; plane < width; ++plane) {
    std::string_view in;
    if (!reader.Take(rows, in)) {
      return false;
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint64_t byte = static_cast<unsigned char>(in[i]);
      all |= byte << (8 * plane);
      offsets[i] |= byte << (8 * plane);
    }
  }
  numbers.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const double offset = std::bit_cast<double>(offsets[i]) - kMantissa;
    numbers[i] = (static_cast<double>(base) + offset) / kPowers.at(exponent);
  }
  return all <= kMantissaBits;
}

}  // namespace millrace::data
