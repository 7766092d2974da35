#include "common/features/row_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

namespace millrace::features {

namespace {

constexpr std::uint64_t kMissingWord = ~std::uint64_t{0};

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

  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;
};

std::uint64_t NumberWord(double number) {
  return std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
}

// Adds one column's words to the states of rows [first, first + states.size()).
void AddColumn(const ColumnCells& cells,
               std::span<const std::uint64_t> text_words,
               std::size_t first,
               std::span<SipState> states) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::size_t row = first + i;
    std::uint64_t word = kMissingWord;
    if (cells.valid[row] != 0) {
      word = cells.codes.empty() ? NumberWord(cells.numbers[row])
                                 : text_words[static_cast<std::size_t>(cells.codes[row])];
    }
    states[i].Add(word);
  }
}

}  // namespace

std::uint64_t SipHash(HashKey key, std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little, "words are read little-endian");
  SipState state(key);
  const std::size_t size = bytes.size();
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    state.Add(word);
  }
  std::uint64_t tail = 0;
  if (!bytes.empty()) {
    std::memcpy(&tail, bytes.data(), bytes.size());
  }
  return state.Finish(size, tail);
}

std::vector<std::uint64_t> HashRows(const Table& table, HashKey key) {
  // Each text is hashed once, however many rows have it.
  std::vector<std::vector<std::uint64_t>> text_words(table.columns.size());
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    for (const std::string& text : table.columns[c].dictionary) {
      text_words[c].push_back(SipHash(key, text));
    }
  }
  constexpr std::size_t kBlock = 256;  // rows whose states stay in the first-level cache
  const auto row_count = static_cast<std::size_t>(table.row_count());
  std::vector<std::uint64_t> hashes(row_count);
  std::vector<SipState> states;
  for (std::size_t first = 0; first < row_count; first += kBlock) {
    states.assign(std::min(kBlock, row_count - first), SipState(key));
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      AddColumn(table.columns[c], text_words[c], first, states);
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
      hashes[first + i] = states[i].Finish(8 * table.columns.size(), 0);
    }
  }
  return hashes;
}

bool SameRow(const Table& table, std::int64_t left, std::int64_t right) {
  const auto l = static_cast<std::size_t>(left);
  const auto r = static_cast<std::size_t>(right);
  return std::all_of(table.columns.begin(), table.columns.end(), [l, r](const ColumnCells& cells) {
    if (cells.valid[l] != cells.valid[r]) {
      return false;
    }
    return cells.codes.empty() ? cells.numbers[l] == cells.numbers[r]
                               : cells.codes[l] == cells.codes[r];
  });
}

}  // namespace millrace::features
