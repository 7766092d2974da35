// Losses of logits and their functions, in double: each row's loss alone, their sum ascending.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "common/network/kernels/kernels.h"
#include "common/network/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/network/kernels/losses.cc"
// The order of these has a meaning.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
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

HWY_INLINE Vector Constant(double value) {
  return hn::Set(Wide(), value);
}

// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.
template <std::size_t kCount>
HWY_INLINE Vector Polynomial(const std::array<double, kCount>& c, Vector x) {
  Vector sum = Constant(c[kCount - 1]);
  for (std::size_t i = kCount - 1; i-- > 0;) {
    sum = hn::MulAdd(sum, x, Constant(c[i]));
  }
  return sum;
}

// The functions below are to 2 ulp. Their polynomials are Chebyshev fits of the functions that they
// stand for, good to 2^-58 of the result, and their operations the basic ones: libm's and Highway's
// own change their bits from release to release.

// exp(x) of x <= 0; what would be denormal is 0. x = k ln 2 + r, exp(r) = 1 + r + r^2 Q(r). k is
// rounded by adding 1.5 * 2^52, which leaves k + 1023, the exponent of 2^k, in the sum's last bits.
HWY_INLINE Vector Exp(Vector x) {
  constexpr std::array<double, 11> kQ = {0.5,
                                         0.1666666666666667,
                                         0.04166666666666667,
                                         0.008333333333326136,
                                         0.0013888888888883748,
                                         0.00019841269874820627,
                                         2.4801587325547743e-05,
                                         2.7557255400206422e-06,
                                         2.75572736431103e-07,
                                         2.5105217004720745e-08,
                                         2.0914686968086876e-09};
  constexpr double kRound = 6755399441055744.0 + 1023.0;
  const hn::RebindToUnsigned<Wide> bits;
  const Vector sum = hn::MulAdd(x, Constant(1.4426950408889634), Constant(kRound));
  const Vector k = hn::Sub(sum, Constant(kRound));
  const Vector scale = hn::BitCast(Wide(), hn::ShiftLeft<52>(hn::BitCast(bits, sum)));
  Vector r = hn::NegMulAdd(k, Constant(0.6931471805599453), x);
  r = hn::NegMulAdd(k, Constant(2.3190468138462996e-17), r);
  const Vector rest = hn::MulAdd(Polynomial(kQ, r), hn::Mul(r, r), r);
  const Vector y = hn::Mul(hn::Add(rest, Constant(1.0)), scale);
  return hn::IfThenZeroElse(hn::Lt(x, Constant(-708.0)), y);
}

// log(1 + x) of x in [0, 1], as x - x^2 / 2 + s (x^2 / 2 + s^2 P(s^2)), s = x / (2 + x): no term is
// much larger than the sum.
HWY_INLINE Vector Log1p(Vector x) {
  constexpr std::array<double, 11> kP = {0.6666666666666666,
                                         0.39999999999999525,
                                         0.285714285716001,
                                         0.2222222219823677,
                                         0.18181819897962714,
                                         0.1538454396486055,
                                         0.13335178631449257,
                                         0.11734279061303197,
                                         0.10845178394880015,
                                         0.07492143795550767,
                                         0.1563057780092285};
  const Vector s = hn::Div(x, hn::Add(x, Constant(2.0)));
  const Vector s2 = hn::Mul(s, s);
  const Vector half = hn::Mul(hn::Mul(x, x), Constant(0.5));
  return hn::Sub(x, hn::NegMulAdd(s, hn::MulAdd(s2, Polynomial(kP, s2), half), half));
}

// log(x) of a normal x > 0, or 0, infinity or NaN. x = 2^k m, m in [sqrt 1/2, sqrt 2), f = m - 1;
// log(m) is that of Log1p.
HWY_INLINE Vector Log(Vector x) {
  constexpr std::array<double, 8> kP = {0.6666666666666666,
                                        0.4000000000000088,
                                        0.2857142857080323,
                                        0.2222222239180047,
                                        0.18181795630884753,
                                        0.15386240205813478,
                                        0.13268759668560612,
                                        0.13086767009948175};
  constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCDU;
  constexpr std::uint64_t kOne = 0x3FF0000000000000U;
  constexpr std::uint64_t kFraction = 0x000FFFFFFFFFFFFFU;
  constexpr std::uint64_t kTwoTo52 = 0x4330000000000000U;
  const hn::RebindToUnsigned<Wide> bits;
  const auto shifted = hn::Add(hn::BitCast(bits, x), hn::Set(bits, kOne - kRootOfHalf));
  const auto exponent = hn::Or(hn::ShiftRight<52>(shifted), hn::Set(bits, kTwoTo52));
  const Vector k = hn::Sub(hn::BitCast(Wide(), exponent), Constant(4503599627370496.0 + 1023.0));
  const auto fraction = hn::And(shifted, hn::Set(bits, kFraction));
  const Vector m = hn::BitCast(Wide(), hn::Add(fraction, hn::Set(bits, kRootOfHalf)));
  const Vector f = hn::Sub(m, Constant(1.0));
  const Vector s = hn::Div(f, hn::Add(f, Constant(2.0)));
  const Vector s2 = hn::Mul(s, s);
  const Vector half = hn::Mul(hn::Mul(f, f), Constant(0.5));
  const Vector inner = hn::Mul(s, hn::MulAdd(s2, Polynomial(kP, s2), half));
  const Vector low = hn::MulAdd(k, Constant(2.8235290563031577e-13), inner);
  const Vector fine = hn::Sub(f, hn::Sub(half, low));
  const Vector y = hn::MulAdd(k, Constant(0.693147180559663), fine);  // exact: its last bits are 0
  const double infinity = std::numeric_limits<double>::infinity();
  const Vector known = hn::IfThenElse(hn::Eq(x, hn::Zero(Wide())), Constant(-infinity), x);
  const auto normal = hn::And(hn::Gt(x, hn::Zero(Wide())), hn::Lt(x, Constant(infinity)));
  return hn::IfThenElse(normal, y, known);
}

double LogOf(double x) {
  return hn::GetLane(Log(Constant(x)));
}

// max(z, 0) - z t + log(1 + exp(-|z|)), which neither overflows nor cancels.
HWY_INLINE Vector LogisticTerm(Vector z, Vector t) {
  const Wide d;
  const Vector rest = Log1p(Exp(hn::Neg(hn::Abs(z))));
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
      hn::Store(Exp(z), d, terms.data() + i);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      sum += terms[static_cast<std::size_t>(i)];
    }
  }
  return static_cast<double>(largest) + LogOf(sum);
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

HWY_EXPORT(LogOf);
HWY_EXPORT(SumLogisticLoss);
HWY_EXPORT(SumSoftmaxLoss);

}  // namespace

void AddLosses(Table& table) {
  table.log = &HWY_DYNAMIC_DISPATCH(LogOf);
  table.logistic_loss = &HWY_DYNAMIC_DISPATCH(SumLogisticLoss);
  table.softmax_loss = &HWY_DYNAMIC_DISPATCH(SumSoftmaxLoss);
}

}  // namespace millrace::network::kernels

#endif  // HWY_ONCE
