// The product: one register tile for the forward pass and both gradients.
//
// A tile is a few rows by a few vectors of C. B is read a vector at a time and A an element at a
// time, so A may have any strides; B is used in place where few rows read it, and copied otherwise,
// a panel of the tile's width at a time, into a buffer on the stack that stays in the first cache.
// Long chains are cut into blocks: a tile stores its partial sums and loads them again, which
// leaves the chain as it is.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/network/kernels/kernels.h"
#include "common/network/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/network/kernels/product.cc"
// The order of these has a meaning.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();

namespace millrace::network::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;
using Block = hn::FixedTag<float, 8>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
constexpr bool kWide = kLanes == 16;

// The tile that keeps two multiply-add units busy: 12 of 16 registers hold sums, or 24 of 32.
constexpr std::int64_t kTileRows = kWide ? 12 : 6;
constexpr std::int64_t kTileColumns = 2 * kLanes;

// Inner indices and columns that are copied together. The copy stays in the second cache and the
// strip at hand in the first; a row's part is long enough for the hardware to fetch it ahead.
constexpr std::int64_t kInnerBlock = 128;
constexpr std::int64_t kCopyColumns = 128;

// Copying B pays from this many rows on: the larger tile of AVX-512 reads B half as often, and from
// the second cache nearly as fast.
constexpr std::int64_t kCopyRows = kWide ? 192 : 24;
constexpr std::int64_t kInPlaceBlock = 256;

// Not std::array, whose unsigned index mixes badly with strides.
template <class T, int kCount>
using List = T[static_cast<std::size_t>(kCount)];  // NOLINT(modernize-avoid-c-arrays): see above.

template <int kRows, int kVectors>
using Sums = List<List<Vector, kVectors>, kRows>;

struct Tile {
  const float* a;
  std::int64_t a_row;
  std::int64_t a_inner;
  const float* b;
  std::int64_t b_inner;  // from one inner index to the next
  std::int64_t b_panel;  // from one kPanelColumns columns to the next
  float* c;
  std::int64_t c_row;
  std::int64_t inner;
  std::size_t tail;  // columns of the last vector, where it is not full
  bool resumes;      // whether C holds the chain's first part
  bool ends;         // whether the chain ends here, so that bias and finish apply
  const float* bias;
  Product::Finish finish;
  const float* gate;  // at c's place
};

// A row of a tile in memory: whole vectors, the last one perhaps in part. Its constants unroll the
// loops around it.
template <int kVectors, bool kTail>
struct Row {
  hn::Mask<Tag> mask;

  explicit HWY_INLINE Row(const Tile& tile) : mask(hn::FirstN(Tag(), tile.tail)) {}

  HWY_INLINE Vector Load(const float* from, int vector) const {
    return kTail && vector == kVectors - 1 ? hn::MaskedLoad(mask, Tag(), from)
                                           : hn::LoadU(Tag(), from);
  }

  HWY_INLINE void Store(Vector value, float* to, int vector) const {
    if (kTail && vector == kVectors - 1) {
      hn::BlendedStore(value, mask, Tag(), to);
    } else {
      hn::StoreU(value, Tag(), to);
    }
  }
};

template <int kRows, int kVectors, bool kTail>
HWY_INLINE void AddBias(const Tile& tile, Sums<kRows, kVectors>& sum) {
  const Row<kVectors, kTail> row(tile);
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    const Vector bias = row.Load(tile.bias + v * kLanes, v);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r][v] = hn::Add(sum[r][v], bias);
    }
  }
}

template <int kRows, int kVectors>
HWY_INLINE void ApplyRelu(Sums<kRows, kVectors>& sum) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      // The second operand is what a NaN gives, so it stays one.
      sum[r][v] = hn::Max(hn::Zero(Tag()), sum[r][v]);
    }
  }
}

template <int kRows, int kVectors, bool kTail>
HWY_INLINE void ApplyGate(const Tile& tile, Sums<kRows, kVectors>& sum) {
  const Row<kVectors, kTail> row(tile);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const Vector gate = row.Load(tile.gate + r * tile.c_row + v * kLanes, v);
      sum[r][v] = hn::IfThenElseZero(hn::Gt(gate, hn::Zero(Tag())), sum[r][v]);
    }
  }
}

// What follows a chain's last link.
template <int kRows, int kVectors, bool kTail>
HWY_INLINE void FinishTile(const Tile& tile, Sums<kRows, kVectors>& sum) {
  if (tile.bias != nullptr) {
    AddBias<kRows, kVectors, kTail>(tile, sum);
  }
  if (tile.finish == Product::Finish::kRelu) {
    ApplyRelu<kRows, kVectors>(sum);
  } else if (tile.finish == Product::Finish::kGate) {
    ApplyGate<kRows, kVectors, kTail>(tile, sum);
  }
}

template <int kRows, int kVectors, bool kTail>
HWY_INLINE void MultiplyAdd(const Tile& tile, Sums<kRows, kVectors>& sum) {
  const Row<kVectors, kTail> row(tile);
  const float* a = tile.a;
  const float* b = tile.b;
  const std::int64_t a_row = tile.a_row;
  const std::int64_t a_inner = tile.a_inner;
  const std::int64_t b_inner = tile.b_inner;
  const std::int64_t b_panel = tile.b_panel;
  for (std::int64_t p = tile.inner; p > 0; --p) {
    List<Vector, kVectors> right;
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t column = v * kLanes;
      right[v] = row.Load(b + column / kPanelColumns * b_panel + column % kPanelColumns, v);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vector left = hn::Set(Tag(), a[r * a_row]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
      }
    }
    a += a_inner;
    b += b_inner;
  }
}

template <int kRows, int kVectors, bool kTail>
void MultiplyTile(const Tile& tile) {
  const Row<kVectors, kTail> row(tile);
  Sums<kRows, kVectors> sum;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const float* from = tile.c + r * tile.c_row + v * kLanes;
      sum[r][v] = tile.resumes ? row.Load(from, v) : hn::Zero(Tag());
    }
  }
  MultiplyAdd<kRows, kVectors, kTail>(tile, sum);
  if (tile.ends) {
    FinishTile<kRows, kVectors, kTail>(tile, sum);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      row.Store(sum[r][v], tile.c + r * tile.c_row + v * kLanes, v);
    }
  }
}

using TileFunction = void (*)(const Tile&);

// Vectors side by side that `rows` leave registers for; more where few rows would not hide the
// multiply-add's latency.
constexpr int VectorsMax(std::int64_t rows) {
  if (kWide) {
    return rows <= 4 ? 4 : 2;
  }
  return rows == 1 ? 8 : (rows <= 3 ? 4 : 2);
}

// Rows of the largest tile that `rows` fill.
constexpr std::int64_t RowsOf(std::int64_t rows) {
  if (rows >= kTileRows) {
    return kTileRows;
  }
  return rows <= 6 ? rows : (rows < 8 ? 6 : (rows < 10 ? 8 : 10));
}

template <int kRows>
TileFunction SelectVectors(int vectors, bool tail) {
  constexpr int kMax = VectorsMax(kRows);
  if constexpr (kMax >= 8) {
    if (vectors == 8) {
      return tail ? &MultiplyTile<kRows, 8, true> : &MultiplyTile<kRows, 8, false>;
    }
  }
  if constexpr (kMax >= 4) {
    if (vectors == 4) {
      return tail ? &MultiplyTile<kRows, 4, true> : &MultiplyTile<kRows, 4, false>;
    }
  }
  if (vectors == 2) {
    return tail ? &MultiplyTile<kRows, 2, true> : &MultiplyTile<kRows, 2, false>;
  }
  return tail ? &MultiplyTile<kRows, 1, true> : &MultiplyTile<kRows, 1, false>;
}

TileFunction Select(std::int64_t rows, int vectors, bool tail) {
  switch (rows) {
    case 1:
      return SelectVectors<1>(vectors, tail);
    case 2:
      return SelectVectors<2>(vectors, tail);
    case 3:
      return SelectVectors<3>(vectors, tail);
    case 4:
      return SelectVectors<4>(vectors, tail);
    case 5:
      return SelectVectors<5>(vectors, tail);
#if HWY_TARGET == HWY_AVX2
    default:
      return SelectVectors<6>(vectors, tail);
#else
    case 6:
      return SelectVectors<6>(vectors, tail);
    case 8:
      return SelectVectors<8>(vectors, tail);
    case 10:
      return SelectVectors<10>(vectors, tail);
    default:
      return SelectVectors<12>(vectors, tail);
#endif
  }
}

// Columns of C that are worked on together, and the vectors they take.
struct Strip {
  std::int64_t columns;
  int vectors;
  std::size_t tail;  // columns of the last vector; 0 where it is full
};

Strip NextStrip(std::int64_t columns_left, int vectors_max) {
  const std::int64_t wanted = (columns_left + kLanes - 1) / kLanes;
  int vectors = vectors_max;
  while (vectors > wanted) {
    vectors /= 2;
  }
  const std::int64_t columns = std::min<std::int64_t>(vectors * kLanes, columns_left);
  return {columns, vectors, static_cast<std::size_t>(columns % kLanes)};
}

// All rows of one strip over one block of the inner index. `tile` is set up for the first row.
void MultiplyStrip(const Strip& strip, std::int64_t rows, Tile tile) {
  tile.tail = strip.tail;
  std::int64_t current = 0;
  TileFunction function = nullptr;
  while (rows > 0) {
    const std::int64_t taken = RowsOf(rows);
    if (taken != current) {
      // Where many rows left the strip wide, the tile of the few last ones is as wide.
      function = Select(taken, strip.vectors, strip.tail != 0);
      current = taken;
    }
    function(tile);
    rows -= taken;
    tile.a += taken * tile.a_row;
    tile.c += taken * tile.c_row;
    if (tile.gate != nullptr) {
      tile.gate += taken * tile.c_row;
    }
  }
}

Tile FirstTile(const Product& product) {
  return {.a = product.a,
          .a_row = product.a_row,
          .a_inner = product.a_inner,
          .b = product.b,
          .b_inner = product.b_stride,
          .b_panel = kPanelColumns,
          .c = product.c,
          .c_row = product.c_stride,
          .inner = product.inner,
          .tail = 0,
          .resumes = false,
          .ends = true,
          .bias = product.bias,
          .finish = product.finish,
          .gate = product.gate};
}

void NextColumns(std::int64_t columns, Tile& tile) {
  tile.c += columns;
  if (tile.bias != nullptr) {
    tile.bias += columns;
  }
  if (tile.gate != nullptr) {
    tile.gate += columns;
  }
}

// B read where it lies, in blocks of the inner index that stay in the second cache while all rows
// pass over them.
void MultiplyInPlace(const Product& product) {
  const int vectors_max = VectorsMax(std::min(product.rows, kTileRows));
  const std::int64_t block = product.rows > kTileRows ? kInPlaceBlock : product.inner;
  Tile tile = FirstTile(product);
  for (std::int64_t column = 0; column < product.columns;) {
    const Strip strip = NextStrip(product.columns - column, vectors_max);
    for (std::int64_t first = 0; first < product.inner; first += block) {
      tile.inner = std::min(block, product.inner - first);
      tile.resumes = first > 0;
      tile.ends = first + tile.inner == product.inner;
      tile.a = product.a + first * product.a_inner;
      tile.b = product.b + first * product.b_stride + column;
      MultiplyStrip(strip, product.rows, tile);
    }
    column += strip.columns;
    NextColumns(strip.columns, tile);
  }
}

// B in panels, which lie `inner` x kPanelColumns apart.
void MultiplyPanels(const Product& product) {
  const int vectors_max = VectorsMax(std::min(product.rows, kTileRows));
  Tile tile = FirstTile(product);
  tile.b_inner = kPanelColumns;
  tile.b_panel = product.inner * kPanelColumns;
  for (std::int64_t column = 0; column < product.columns;) {
    const Strip strip = NextStrip(product.columns - column, vectors_max);
    tile.b = product.b + column / kPanelColumns * tile.b_panel + column % kPanelColumns;
    MultiplyStrip(strip, product.rows, tile);
    column += strip.columns;
    NextColumns(strip.columns, tile);
  }
}

// Eight rows of eight floats, `stride` apart, become eight columns in `to`.
HWY_INLINE void Transpose8(const float* from,
                           std::int64_t stride,
                           float* to,
                           std::int64_t to_stride) {
  const Block f;
  const hn::Repartition<double, Block> g;
  List<hn::Vec<Block>, 8> pairs;
#pragma GCC unroll 8
  for (std::int64_t i = 0; i < 8; i += 2) {
    const auto even = hn::LoadU(f, from + i * stride);
    const auto odd = hn::LoadU(f, from + (i + 1) * stride);
    pairs[i] = hn::InterleaveLower(f, even, odd);
    pairs[i + 1] = hn::InterleaveUpper(f, even, odd);
  }
  // Quads [i, k]: columns k and k + 4 of rows 4 i to 4 i + 3.
  List<List<hn::Vec<Block>, 4>, 2> quads;
#pragma GCC unroll 8
  for (std::int64_t i = 0; i < 2; ++i) {
#pragma GCC unroll 8
    for (std::int64_t k = 0; k < 2; ++k) {
      const auto top = hn::BitCast(g, pairs[4 * i + k]);
      const auto bottom = hn::BitCast(g, pairs[4 * i + 2 + k]);
      quads[i][2 * k] = hn::BitCast(f, hn::InterleaveLower(g, top, bottom));
      quads[i][2 * k + 1] = hn::BitCast(f, hn::InterleaveUpper(g, top, bottom));
    }
  }
#pragma GCC unroll 8
  for (std::int64_t k = 0; k < 4; ++k) {
    float* low = to + k * to_stride;
    hn::StoreU(hn::ConcatLowerLower(f, quads[1][k], quads[0][k]), f, low);
    hn::StoreU(hn::ConcatUpperUpper(f, quads[1][k], quads[0][k]), f, low + 4 * to_stride);
  }
}

// `columns` x `inner` floats of B^T, rows `stride` apart, become [inner, to_stride] in `to`.
void CopyTransposed(Shape part,
                    const float* from,
                    std::int64_t stride,
                    float* to,
                    std::int64_t to_stride) {
  const std::int64_t inner = part.columns;
  const std::int64_t columns = part.rows;
  const std::int64_t whole = inner - inner % 8;
  std::int64_t column = 0;
  for (; column + 8 <= columns; column += 8) {
    for (std::int64_t p = 0; p < whole; p += 8) {
      Transpose8(from + column * stride + p, stride, to + p * to_stride + column, to_stride);
    }
    for (std::int64_t p = whole; p < inner; ++p) {
      for (std::int64_t j = column; j < column + 8; ++j) {
        to[p * to_stride + j] = from[j * stride + p];
      }
    }
  }
  for (; column < columns; ++column) {
    for (std::int64_t p = 0; p < inner; ++p) {
      to[p * to_stride + column] = from[column * stride + p];
    }
  }
}

// A block of B, [inner, columns], as panels of kTileColumns columns, each [inner, kTileColumns].
HWY_INLINE void CopyBlock(const Product& product, const float* b, Shape block, float* to) {
  const std::int64_t panel = block.rows * kTileColumns;
  if (product.right == Product::Right::kTransposed) {
    for (std::int64_t column = 0; column < block.columns; column += kTileColumns) {
      const std::int64_t taken = std::min(kTileColumns, block.columns - column);
      CopyTransposed({.rows = taken, .columns = block.rows},
                     b + column * product.b_stride,
                     product.b_stride,
                     to,
                     kTileColumns);
      to += panel;
    }
    return;
  }
  const Tag f;
  const std::int64_t whole = block.columns - block.columns % kTileColumns;
  const auto rest = static_cast<std::size_t>(block.columns - whole) * sizeof(float);
  for (std::int64_t p = 0; p < block.rows; ++p) {
    const float* from = b + p * product.b_stride;
    float* row = to + p * kTileColumns;
    for (std::int64_t column = 0; column < whole; column += kTileColumns) {
      hn::Store(hn::LoadU(f, from + column), f, row);
      hn::Store(hn::LoadU(f, from + column + kLanes), f, row + kLanes);
      row += panel;
    }
    if (rest != 0) {
      std::memcpy(row, from + whole, rest);
    }
  }
}

// Blocks of B are copied, and all rows pass over each strip of the copy.
HWY_NOINLINE void MultiplyCopied(const Product& product) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): written before it is read.
  HWY_ALIGN std::array<float, static_cast<std::size_t>(kInnerBlock * kCopyColumns)> copy;
  const bool transposed = product.right == Product::Right::kTransposed;
  const std::int64_t inner_step = transposed ? 1 : product.b_stride;
  const std::int64_t column_step = transposed ? product.b_stride : 1;
  Tile tile = FirstTile(product);
  tile.b_inner = kTileColumns;
  for (std::int64_t left = 0; left < product.columns; left += kCopyColumns) {
    const std::int64_t columns = std::min(kCopyColumns, product.columns - left);
    for (std::int64_t first = 0; first < product.inner; first += kInnerBlock) {
      tile.inner = std::min(kInnerBlock, product.inner - first);
      tile.resumes = first > 0;
      tile.ends = first + tile.inner == product.inner;
      const float* from = product.b + first * inner_step + left * column_step;
      CopyBlock(product, from, {.rows = tile.inner, .columns = columns}, copy.data());
      Tile at = tile;
      at.a = product.a + first * product.a_inner;
      at.b = copy.data();
      for (std::int64_t column = 0; column < columns;) {
        const Strip strip = NextStrip(columns - column, 2);
        MultiplyStrip(strip, product.rows, at);
        at.b += strip.columns == kTileColumns ? tile.inner * kTileColumns : strip.columns;
        column += strip.columns;
        NextColumns(strip.columns, at);
      }
    }
    NextColumns(columns, tile);
  }
}

// Whether to copy B before the product reads it. Columns must be copied to become rows, unless
// there is one inner index and the only row lies as it should.
bool NeedsCopy(const Product& product) {
  if (product.right == Product::Right::kTransposed) {
    return product.b_stride != 1;
  }
  return product.rows >= kCopyRows && product.columns > kTileColumns;
}

void Multiply(const Product& product) {
  if (product.right == Product::Right::kPanels) {
    MultiplyPanels(product);
  } else if (NeedsCopy(product)) {
    MultiplyCopied(product);
  } else {
    MultiplyInPlace(product);
  }
}

void PackPanels(Shape weights, const float* w, float* packed) {
  for (std::int64_t column = 0; column < weights.columns; column += kPanelColumns) {
    const std::int64_t taken = std::min(kPanelColumns, weights.columns - column);
    for (std::int64_t p = 0; p < weights.rows; ++p) {
      const float* from = w + p * weights.columns + column;
      std::copy(from, from + taken, packed);
      std::fill(packed + taken, packed + kPanelColumns, 0.0F);
      packed += kPanelColumns;
    }
  }
}

void PackTransposedPanels(Shape weights, const float* w, float* packed) {
  for (std::int64_t column = 0; column < weights.rows; column += kPanelColumns) {
    const std::int64_t taken = std::min(kPanelColumns, weights.rows - column);
    if (taken < kPanelColumns) {
      std::fill(packed, packed + weights.columns * kPanelColumns, 0.0F);
    }
    CopyTransposed({.rows = taken, .columns = weights.columns},
                   w + column * weights.columns,
                   weights.columns,
                   packed,
                   kPanelColumns);
    packed += weights.columns * kPanelColumns;
  }
}

void SumRows(std::int64_t rows, std::int64_t columns, const float* x, float* sums) {
  const Tag f;
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= columns; column += 4 * kLanes) {
    List<Vector, 4> sum = {hn::Zero(f), hn::Zero(f), hn::Zero(f), hn::Zero(f)};
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        const float* from = x + row * columns + column + v * kLanes;
        sum[v] = hn::Add(sum[v], hn::LoadU(f, from));
      }
    }
    for (int v = 0; v < 4; ++v) {
      hn::StoreU(sum[v], f, sums + column + v * kLanes);
    }
  }
  for (; column < columns; column += kLanes) {
    const auto mask = hn::FirstN(f, static_cast<std::size_t>(columns - column));
    Vector sum = hn::Zero(f);
    for (std::int64_t row = 0; row < rows; ++row) {
      sum = hn::Add(sum, hn::MaskedLoad(mask, f, x + row * columns + column));
    }
    hn::BlendedStore(sum, mask, f, sums + column);
  }
}

}  // namespace millrace::network::kernels::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace millrace::network::kernels {

namespace {

HWY_EXPORT(Multiply);
HWY_EXPORT(PackPanels);
HWY_EXPORT(PackTransposedPanels);
HWY_EXPORT(SumRows);

}  // namespace

void AddProduct(Table& table) {
  table.product = &HWY_DYNAMIC_DISPATCH(Multiply);
  table.pack = &HWY_DYNAMIC_DISPATCH(PackPanels);
  table.pack_transposed = &HWY_DYNAMIC_DISPATCH(PackTransposedPanels);
  table.bias_gradient = &HWY_DYNAMIC_DISPATCH(SumRows);
}

}  // namespace millrace::network::kernels

#endif  // HWY_ONCE
