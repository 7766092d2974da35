// Losses of logits, in double: each row's loss alone, their sum ascending.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "common/network/kernels/kernels.h"
#include "common/network/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/network/kernels/losses.cc"
// The order of these has a meaning.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();

namespace millrace::network::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<double>;
using Narrow = hn::Rebind<float, Wide>;
using Vector = hn::Vec<Wide>;

constexpr std::int64_t kLanes = hn::MaxLanes(Wide());
constexpr std::int64_t kBlock = 64;

HWY_INLINE Vector LoadWide(const float* from, std::int64_t count) {
  const Narrow n;
  if (count >= kLanes) {
    return hn::PromoteTo(Wide(), hn::LoadU(n, from));
  }
  const auto mask = hn::FirstN(n, static_cast<std::size_t>(count));
  return hn::PromoteTo(Wide(), hn::MaskedLoad(mask, n, from));
}

// max(z, 0) - z t + log(1 + exp(-|z|)), which neither overflows nor cancels.
HWY_INLINE Vector LogisticTerm(Vector z, Vector t) {
  const Wide d;
  const Vector rest = hn::Log1p(d, hn::Exp(d, hn::Neg(hn::Abs(z))));
  return hn::Add(hn::NegMulAdd(z, t, hn::Max(z, hn::Zero(d))), rest);
}

double SumLogisticLoss(std::int64_t rows, const float* logits, const float* labels) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): written before it is read.
  HWY_ALIGN std::array<double, kBlock> terms;
  double sum = 0;
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    const std::int64_t count = std::min(kBlock, rows - first);
    for (std::int64_t i = 0; i < count; i += kLanes) {
      const Vector z = LoadWide(logits + first + i, count - i);
      const Vector t = LoadWide(labels + first + i, count - i);
      hn::Store(LogisticTerm(z, t), Wide(), terms.data() + i);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      sum += terms[static_cast<std::size_t>(i)];
    }
  }
  return sum;
}

// log of the sum of exp(z) of one row: the largest z is taken out, so that no term overflows.
HWY_INLINE double LogSumExp(std::int64_t columns, const float* logits) {
  const Wide d;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): written before it is read.
  HWY_ALIGN std::array<double, kBlock> terms;
  float largest = logits[0];
  for (std::int64_t i = 1; i < columns; ++i) {
    largest = std::max(largest, logits[i]);
  }
  const Vector shift = hn::Set(d, static_cast<double>(largest));
  double sum = 0;
  for (std::int64_t first = 0; first < columns; first += kBlock) {
    const std::int64_t count = std::min(kBlock, columns - first);
    for (std::int64_t i = 0; i < count; i += kLanes) {
      const Vector z = hn::Sub(LoadWide(logits + first + i, count - i), shift);
      const Vector e = hn::IfThenElse(hn::IsNaN(z), z, hn::Exp(d, z));
      hn::Store(e, d, terms.data() + i);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      sum += terms[static_cast<std::size_t>(i)];
    }
  }
  if (std::isnan(sum)) {
    return sum;  // Highway's Log does not keep a NaN
  }
  return static_cast<double>(largest) + hn::GetLane(hn::Log(d, hn::Set(d, sum)));
}

double SumSoftmaxLoss(std::int64_t rows,
                      std::int64_t columns,
                      const float* logits,
                      const float* labels) {
  double sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* z = logits + row * columns;
    const auto target = static_cast<double>(z[static_cast<std::int64_t>(labels[row])]);
    sum += LogSumExp(columns, z) - target;
  }
  return sum;
}

}  // namespace millrace::network::kernels::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace millrace::network::kernels {

namespace {

HWY_EXPORT(SumLogisticLoss);
HWY_EXPORT(SumSoftmaxLoss);

}  // namespace

void AddLosses(Table& table) {
  table.logistic_loss = &HWY_DYNAMIC_DISPATCH(SumLogisticLoss);
  table.softmax_loss = &HWY_DYNAMIC_DISPATCH(SumSoftmaxLoss);
}

}  // namespace millrace::network::kernels

#endif  // HWY_ONCE
