#include "services/data/store/decimals.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::data {
namespace {

using testing::IsEmpty;

constexpr std::size_t kHeadBytes = 16;

std::string Encode(const std::vector<double>& numbers) {
  std::string bytes;
  EXPECT_TRUE(AppendDecimals(numbers, bytes));
  return bytes;
}

std::vector<double> Decode(const std::string& bytes, std::size_t rows) {
  ByteReader reader(bytes);
  std::vector<double> numbers;
  EXPECT_TRUE(TakeDecimals(rows, reader, numbers));
  EXPECT_TRUE(reader.empty());
  return numbers;
}

std::vector<std::uint64_t> BitsOf(const std::vector<double>& numbers) {
  std::vector<std::uint64_t> bits;
  bits.reserve(numbers.size());
  for (const double number : numbers) {
    bits.push_back(std::bit_cast<std::uint64_t>(number));
  }
  return bits;
}

void ExpectTheSameBits(const std::vector<double>& numbers) {
  EXPECT_EQ(BitsOf(Decode(Encode(numbers), numbers.size())), BitsOf(numbers));
}

void ExpectNone(const std::vector<double>& numbers, const char* why) {
  std::string bytes;
  EXPECT_FALSE(AppendDecimals(numbers, bytes)) << why;
  EXPECT_THAT(bytes, IsEmpty());
}

TEST(DecimalsTest, TheBytesAreTheDocumentedOnes) {
  // -0.25, 1.5 and 700 are -25, 150 and 70,000 hundredths.
  EXPECT_EQ(Encode({-0.25, 1.5, 700}),
            std::string("\x02\0\0\0\x03\0\0\0\xe7\xff\xff\xff\xff\xff\xff\xff", kHeadBytes) +
                std::string("\x00\xaf\x89", 3) + std::string("\x00\x00\x11", 3) +
                std::string("\x00\x00\x01", 3));
  EXPECT_EQ(Encode({8, 8, 8}).size(), kHeadBytes) << "a constant column has no planes";
}

TEST(DecimalsTest, WhatWasReadFromTextComesBackToTheBit) {
  std::mt19937_64 random(11);
  for (int decimals = 0; decimals <= 15; ++decimals) {
    // 15 digits in all: as many as a double tells apart.
    const double most = std::pow(10, std::min(15 - decimals, 7));
    std::uniform_real_distribution<double> draw(-most, most);
    std::vector<double> numbers(2'000);
    for (double& number : numbers) {
      number = std::stod(fmt::format("{:.{}f}", draw(random), decimals)) + 0.0;
    }
    ExpectTheSameBits(numbers);
  }
}

TEST(DecimalsTest, OneLateNumberOfMoreDecimalsRaisesTheExponentOfAll) {
  std::vector<double> numbers(10'000, 1.5);
  numbers.back() = 0.0625;
  EXPECT_EQ(Encode(numbers).front(), 4);
  ExpectTheSameBits(numbers);
}

TEST(DecimalsTest, WholeNumbersUpToTheRangeFit) {
  ExpectTheSameBits({0x1p51, -0x1p51 + 1, 0, 1});
  ExpectNone({0x1p51, -0x1p51}, "one more than the offsets reach");
  ExpectTheSameBits({1'700'000'000, 253'402'300'799, -62'135'596'800});  // times
  ExpectNone({0x1p51 + 1}, "above the range");
  ExpectNone({-0x1p52}, "below it");
}

TEST(DecimalsTest, WhatIsNoDecimalIsLeft) {
  ExpectNone({1.0 / 3}, "decimals without end");
  ExpectNone({5e-324}, "too many decimals");
  ExpectNone({1e300}, "too many digits");
  ExpectNone({0x1p51, 0.5}, "each fits, but at no exponent both");
  ExpectNone({-0.0}, "it would come back as 0");
  ExpectNone({1, std::numeric_limits<double>::infinity()}, "not finite");
  ExpectNone({1, std::numeric_limits<double>::quiet_NaN()}, "not finite");
  std::vector<double> late(10'000, 0.5);
  late.back() = -0.0;
  ExpectNone(late, "-0 after many that fit");
  ExpectNone({}, "there is nothing to save");
}

TEST(DecimalsTest, DamagedBytesAreRefused) {
  const std::string bytes = Encode({-0.25, 1.5, 700});
  const auto refused = [](const std::string& damaged) {
    ByteReader reader(damaged);
    std::vector<double> numbers;
    return !TakeDecimals(3, reader, numbers);
  };
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(refused(bytes.substr(0, size))) << size;
  }
  const auto with = [&](std::size_t at, char byte) {
    std::string changed = bytes;
    changed.at(at) = byte;
    return changed;
  };
  EXPECT_TRUE(refused(with(0, 16))) << "an exponent out of range";
  EXPECT_TRUE(refused(with(4, 8))) << "a width out of range";
  EXPECT_TRUE(refused(with(15, '\x7f'))) << "a base out of range";
  std::string large = bytes.substr(0, kHeadBytes) + std::string(21, '\xff');
  large[4] = 7;
  EXPECT_TRUE(refused(large)) << "offsets out of range";
}

TEST(DecimalsTest, EveryNumberThatIsTakenIsFinite) {
  std::string bytes = Encode({0, 0x1p51}).substr(0, kHeadBytes);
  bytes[0] = 15;
  bytes[4] = 6;
  bytes += std::string(12, '\xff');
  for (const double number : Decode(bytes, 2)) {
    EXPECT_TRUE(std::isfinite(number));
  }
}

}  // namespace
}  // namespace millrace::data
