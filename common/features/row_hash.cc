#include "common/features/row_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

namespace millrace::features {

namespace {

// The state of SipHash-2-4 between two words.
struct SipState {
  explicit SipState(HashKey key)
      : v0(key[0] ^ 0x736f6d6570736575U),
        v1(key[1] ^ 0x646f72616e646f6dU),
        v2(key[0] ^ 0x6c7967656e657261U),
        v3(key[1] ^ 0x7465646279746573U) {}

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void Add(std::uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }

  // Requires: `size` bytes were added but for the size % 8 in the low bytes of `tail`.
  std::uint64_t Finish(std::uint64_t size, std::uint64_t tail) {
    Add((size << 56U) | tail);
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) {
      Round();
    }
    return v0 ^ v1 ^ v2 ^ v3;
  }

  // The word after that of Finish(), as SipHash of 128 bits makes its second.
  std::uint64_t Next() {
    v1 ^= 0xdd;
    for (int i = 0; i < 4; ++i) {
      Round();
    }
    return v0 ^ v1 ^ v2 ^ v3;
  }

  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;
};

std::uint64_t NumberWord(double number) {
  return std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
}

// A column's cells as words, and what its texts' checks add to a row's.
struct ColumnWords {
  const ColumnCells* cells = nullptr;
  std::vector<std::uint64_t> texts;
  std::vector<std::uint64_t> checks;
};

ColumnWords WordsOf(const ColumnCells& cells, HashKey key, std::uint64_t column) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;  // another factor for each column
  ColumnWords words{.cells = &cells, .texts = {}, .checks = {}};
  for (const std::string_view text : cells.dictionary) {  // once, however many rows have it
    const Said said = SayText(key, text);
    words.texts.push_back(said.rank);
    words.checks.push_back(said.check * (2 * column * kOdd + 1));
  }
  return words;
}

// Adds one column's words to the states and checks of rows [first, first + states.size()).
void AddColumn(const ColumnWords& words,
               std::size_t first,
               std::span<SipState> states,
               std::span<Said> said) {
  const ColumnCells& cells = *words.cells;
  if (cells.codes.empty()) {
    for (std::size_t i = 0; i < states.size(); ++i) {
      const std::size_t row = first + i;
      states[i].Add(cells.valid[row] != 0 ? NumberWord(cells.numbers[row]) : kMissingWord);
    }
    return;
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::size_t row = first + i;
    if (cells.valid[row] == 0) {
      states[i].Add(kMissingWord);
      continue;
    }
    const auto code = static_cast<std::size_t>(cells.codes[row]);
    states[i].Add(words.texts[code]);
    said[row].check += words.checks[code];
  }
}

SipState AddText(HashKey key, std::string_view bytes, std::uint64_t& tail) {
  static_assert(std::endian::native == std::endian::little, "words are read little-endian");
  SipState state(key);
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    state.Add(word);
  }
  tail = 0;
  if (!bytes.empty()) {
    std::memcpy(&tail, bytes.data(), bytes.size());
  }
  return state;
}

}  // namespace

std::uint64_t SipHash(HashKey key, std::string_view bytes) {
  std::uint64_t tail = 0;
  SipState state = AddText(key, bytes, tail);
  return state.Finish(bytes.size(), tail);
}

Said SayText(HashKey key, std::string_view text) {
  std::uint64_t tail = 0;
  SipState state = AddText(key, text, tail);
  const std::uint64_t rank = state.Finish(text.size(), tail);
  return {.rank = rank, .check = state.Next()};
}

std::uint64_t CellWord(const ColumnCells& cells,
                       std::size_t row,
                       std::span<const std::uint64_t> texts) {
  if (cells.valid[row] == 0) {
    return kMissingWord;
  }
  return cells.codes.empty() ? NumberWord(cells.numbers[row])
                             : texts[static_cast<std::size_t>(cells.codes[row])];
}

std::vector<Said> SayRows(std::span<const ColumnCells> columns, HashKey key) {
  std::vector<ColumnWords> words;
  words.reserve(columns.size());
  for (const ColumnCells& cells : columns) {
    words.push_back(WordsOf(cells, key, words.size()));
  }
  constexpr std::size_t kBlock = 256;  // rows whose states stay in the first-level cache
  const std::size_t row_count = columns.empty() ? 0 : columns.front().valid.size();
  std::vector<Said> said(row_count);
  std::vector<SipState> states;
  for (std::size_t first = 0; first < row_count; first += kBlock) {
    states.assign(std::min(kBlock, row_count - first), SipState(key));
    for (const ColumnWords& column : words) {
      AddColumn(column, first, states, said);
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
      said[first + i].rank = states[i].Finish(8 * columns.size(), 0);
      said[first + i].check += states[i].Next();
    }
  }
  return said;
}

}  // namespace millrace::features
