// Activations, their derivatives and softmax. Every element is computed alone, so its bits do not
// depend on where it lies; rests are masked.

#include <cstddef>
#include <cstdint>

#include "common/network/kernels/kernels.h"
#include "common/network/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/network/kernels/elementwise.cc"
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

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
constexpr float kLeak = 0.01F;

HWY_INLINE Vector Constant(float value) {
  return hn::Set(Tag(), value);
}

// Below this exp(x) is not far from the smallest normal float; it is taken for 0.
constexpr float kExpLimit = -87.33F;

// exp(x) of x <= 0, to 1 ulp. x = k ln 2 + r, |r| <= ln 2 / 2, and exp(r) = 1 + r + r^2 Q(r), Q
// being the Chebyshev fit of degree 4 of that very function, good to 2^-26 of exp(r). k is rounded
// by adding 1.5 * 2^23, which leaves k + 127, the exponent of 2^k, in the sum's last bits. Only
// basic operations: Highway's own Exp, Tanh and Log change their bits from release to release.
HWY_INLINE Vector Exp(Vector x) {
  const hn::RebindToUnsigned<Tag> bits;
  constexpr float kRound = 12582912.0F + 127.0F;
  const Vector sum = hn::MulAdd(x, Constant(1.44269504F), Constant(kRound));
  const Vector k = hn::Sub(sum, Constant(kRound));
  const Vector scale = hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::BitCast(bits, sum)));
  Vector r = hn::NegMulAdd(k, Constant(0.6931471824645996F), x);
  r = hn::MulAdd(k, Constant(1.9046542e-9F), r);
  const Vector r2 = hn::Mul(r, r);
  Vector q = hn::MulAdd(Constant(0.0013926184037700295F), r, Constant(0.008363178931176662F));
  q = hn::MulAdd(q, r, Constant(0.041666556149721146F));
  q = hn::MulAdd(q, r, Constant(0.16666576266288757F));
  q = hn::MulAdd(q, r, Constant(0.5F));
  const Vector y = hn::Mul(hn::Add(hn::MulAdd(q, r2, r), Constant(1.0F)), scale);
  return hn::IfThenZeroElse(hn::Lt(x, Constant(kExpLimit)), y);
}

// By e = exp(-|x|), which cannot overflow. The quotient is corrected by its remainder and by what
// 1 + e lost, so that the result rises wherever e moves.
HWY_INLINE Vector Sigmoid(Vector x) {
  const Vector e = Exp(hn::Neg(hn::Abs(x)));
  const Vector one = Constant(1.0F);
  const Vector sum = hn::Add(one, e);
  const Vector lost = hn::Sub(e, hn::Sub(sum, one));
  const Vector inverse = hn::Div(one, sum);
  const Vector top = hn::IfThenElse(hn::Lt(x, hn::Zero(Tag())), e, one);
  const Vector y = hn::Mul(top, inverse);
  const Vector rest = hn::NegMulAdd(y, lost, hn::NegMulAdd(y, sum, top));
  return hn::MulAdd(rest, inverse, y);
}

// Up to here tanh(x) = x + x^3 P(x^2), beyond it (1 - e) / (1 + e), e = exp(-2 |x|). P is the
// Chebyshev fit of degree 4 of that very function, good to 2^-25 of tanh(x).
constexpr float kTanhSeam = 0.625F;

HWY_INLINE Vector Tanh(Vector x) {
  const Vector size = hn::Abs(x);
  const Vector x2 = hn::Mul(x, x);
  Vector p = hn::MulAdd(Constant(-0.006096714176237583F), x2, Constant(0.020997179672122F));
  p = hn::MulAdd(p, x2, Constant(-0.05385090783238411F));
  p = hn::MulAdd(p, x2, Constant(0.1333276927471161F));
  p = hn::MulAdd(p, x2, Constant(-0.333333283662796F));
  const Vector inner = hn::MulAdd(hn::Mul(p, x2), x, x);
  const Vector one = Constant(1.0F);
  const Vector e = Exp(hn::Mul(size, Constant(-2.0F)));
  const Vector outer = hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x);
  return hn::IfThenElse(hn::Lt(size, Constant(kTanhSeam)), inner, outer);
}

// Beyond this exp(-x^2 / 2) is 0 in float.
constexpr float kNormalLimit = 16.0F;

// exp(-x^2 / 2) for |x| up to kNormalLimit. The square's rounding error would grow to x^2 / 2 ulps;
// a fused multiply-add finds it, and the result is corrected to first order.
HWY_INLINE Vector Bell(Vector x) {
  const Vector half = Constant(-0.5F);
  const Vector square = hn::Mul(x, x);
  const Vector error = hn::MulSub(x, x, square);
  const Vector e = Exp(hn::Mul(square, half));
  return hn::MulAdd(hn::Mul(error, half), e, e);
}

// The normal distribution's function, Phi(x) = erfc(-x / sqrt 2) / 2, through h = |x| / sqrt 2:
// below 1/2, erf(h) = h P(h^2); above, erfc(h) = exp(-h^2) t Q(t), t = 1 / (h + 5/2). P and Q are
// Chebyshev interpolants of degree 4 on [0, 1/4] and 8 on [1/2, 10.5] of those very functions, good
// to 2^-29 and 2^-27 of their value (the form is that of Abramowitz and Stegun 1964, 7.1.26; the
// coefficients are our own).
HWY_INLINE Vector NormalDistribution(Vector x) {
  const Vector size = hn::Min(hn::Abs(x), Constant(kNormalLimit));
  const Vector h = hn::Mul(size, Constant(0.70710678F));
  const Vector h2 = hn::Mul(hn::Mul(size, size), Constant(0.5F));
  Vector p = Constant(0.004719082564406563F);
  p = hn::MulAdd(p, h2, Constant(-0.02675773273331288F));
  p = hn::MulAdd(p, h2, Constant(0.11282831428430314F));
  p = hn::MulAdd(p, h2, Constant(-0.37612609007467024F));
  p = hn::MulAdd(p, h2, Constant(1.1283791656017907F));
  const Vector half = Constant(0.5F);
  const Vector inner = hn::NegMulAdd(hn::Mul(half, h), p, half);

  const Vector t = hn::Div(Constant(1.0F), hn::Add(h, Constant(2.5F)));
  Vector q = Constant(232.89337249362976F);
  q = hn::MulAdd(q, t, Constant(-342.02611329057964F));
  q = hn::MulAdd(q, t, Constant(143.28440769228888F));
  q = hn::MulAdd(q, t, Constant(-15.157607921435345F));
  q = hn::MulAdd(q, t, Constant(16.592899057344212F));
  q = hn::MulAdd(q, t, Constant(6.249403096329225F));
  q = hn::MulAdd(q, t, Constant(3.2707748758065724F));
  q = hn::MulAdd(q, t, Constant(1.4095826660643762F));
  q = hn::MulAdd(q, t, Constant(0.5642023868262949F));
  const Vector outer = hn::Mul(hn::Mul(Bell(size), half), hn::Mul(t, q));

  const Vector below = hn::IfThenElse(hn::Lt(h, half), inner, outer);  // Phi(-|x|)
  const Vector y =
      hn::IfThenElse(hn::Lt(x, hn::Zero(Tag())), below, hn::Sub(Constant(1.0F), below));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// At minus infinity the product would be a NaN; the limit is 0.
HWY_INLINE Vector Gelu(Vector x) {
  const Vector y = hn::Mul(x, NormalDistribution(x));
  return hn::IfThenZeroElse(hn::Lt(x, Constant(-kNormalLimit)), y);
}

// Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi).
HWY_INLINE Vector GeluDerivative(Vector x) {
  const Vector bounded =
      hn::IfThenElse(hn::Gt(hn::Abs(x), Constant(kNormalLimit)), hn::Zero(Tag()), x);
  const Vector density = hn::Mul(Bell(bounded), Constant(0.39894228F));
  return hn::MulAdd(bounded, density, NormalDistribution(x));
}

// to[i] = function(from[i]...).
template <class Function, class... From>
HWY_INLINE void Map(std::int64_t count, float* to, Function function, const From*... from) {
  const Tag f;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(function(hn::LoadU(f, from + i)...), f, to + i);
  }
  if (i < count) {
    const auto mask = hn::FirstN(f, static_cast<std::size_t>(count - i));
    hn::BlendedStore(function(hn::MaskedLoad(mask, f, from + i)...), mask, f, to + i);
  }
}

void ActivateAll(Activation activation, std::int64_t count, const float* x, float* y) {
  switch (activation) {
    case model::v1::ACTIVATION_SIGMOID:
      return Map(
          count, y, [](Vector v) HWY_ATTR { return Sigmoid(v); }, x);
    case model::v1::ACTIVATION_TANH:
      return Map(
          count, y, [](Vector v) HWY_ATTR { return Tanh(v); }, x);
    case model::v1::ACTIVATION_RELU:
      // The second operand is what a NaN gives, so it stays one.
      return Map(
          count, y, [](Vector v) HWY_ATTR { return hn::Max(hn::Zero(Tag()), v); }, x);
    case model::v1::ACTIVATION_LEAKY_RELU:
      return Map(
          count,
          y,
          [](Vector v) HWY_ATTR {
            return hn::IfThenElse(hn::Gt(v, hn::Zero(Tag())), v, hn::Mul(v, Constant(kLeak)));
          },
          x);
    case model::v1::ACTIVATION_GELU:
      return Map(
          count, y, [](Vector v) HWY_ATTR { return Gelu(v); }, x);
    default:
      if (x != y) {
        Map(
            count, y, [](Vector v) HWY_ATTR { return v; }, x);
      }
  }
}

// NOLINTNEXTLINE(readability-function-size): the arrays are what they are.
void ActivationGradientAll(Activation activation,
                           std::int64_t count,
                           const float* x,
                           const float* y,
                           const float* dy,
                           float* dx) {
  switch (activation) {
    case model::v1::ACTIVATION_SIGMOID:
      return Map(
          count,
          dx,
          [](Vector v, Vector d)
              HWY_ATTR { return hn::Mul(d, hn::Mul(v, hn::Sub(Constant(1.0F), v))); },
          y,
          dy);
    case model::v1::ACTIVATION_TANH:
      return Map(
          count,
          dx,
          [](Vector v, Vector d)
              HWY_ATTR { return hn::Mul(d, hn::NegMulAdd(v, v, Constant(1.0F))); },
          y,
          dy);
    case model::v1::ACTIVATION_RELU:
      return Map(
          count,
          dx,
          [](Vector v, Vector d)
              HWY_ATTR { return hn::IfThenElseZero(hn::Gt(v, hn::Zero(Tag())), d); },
          y,
          dy);
    case model::v1::ACTIVATION_LEAKY_RELU:
      return Map(
          count,
          dx,
          [](Vector v, Vector d) HWY_ATTR {
            return hn::IfThenElse(hn::Gt(v, hn::Zero(Tag())), d, hn::Mul(d, Constant(kLeak)));
          },
          y,
          dy);
    case model::v1::ACTIVATION_GELU:
      return Map(
          count,
          dx,
          [](Vector v, Vector d) HWY_ATTR { return hn::Mul(d, GeluDerivative(v)); },
          x,
          dy);
    default:
      if (dx != dy) {
        Map(
            count, dx, [](Vector d) HWY_ATTR { return d; }, dy);
      }
  }
}

void SoftmaxRow(std::int64_t columns, const float* x, float* y) {
  const Tag f;
  const Vector lowest = Constant(hwy::LowestValue<float>());
  Vector largest = lowest;
  for (std::int64_t i = 0; i < columns; i += kLanes) {
    const auto mask = hn::FirstN(f, static_cast<std::size_t>(columns - i));
    const Vector value = hn::MaskedLoad(mask, f, x + i);
    largest = hn::Max(largest, hn::IfThenElse(mask, value, lowest));
  }
  largest = hn::MaxOfLanes(f, largest);
  Map(
      columns, y, [&](Vector v) HWY_ATTR { return Exp(hn::Sub(v, largest)); }, x);
  float sum = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    sum += y[i];
  }
  const Vector total = Constant(sum);
  Map(
      columns, y, [&](Vector v) HWY_ATTR { return hn::Div(v, total); }, y);
}

void SoftmaxRows(std::int64_t rows, std::int64_t columns, const float* x, float* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    SoftmaxRow(columns, x + row * columns, y + row * columns);
  }
}

void MultiplyElements(std::int64_t count, const float* x, const float* factors, float* y) {
  Map(
      count, y, [](Vector v, Vector factor) HWY_ATTR { return hn::Mul(v, factor); }, x, factors);
}

}  // namespace millrace::network::kernels::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace millrace::network::kernels {

namespace {

HWY_EXPORT(ActivateAll);
HWY_EXPORT(ActivationGradientAll);
HWY_EXPORT(SoftmaxRows);
HWY_EXPORT(MultiplyElements);

}  // namespace

void AddElementwise(Table& table) {
  table.activate = &HWY_DYNAMIC_DISPATCH(ActivateAll);
  table.activation_gradient = &HWY_DYNAMIC_DISPATCH(ActivationGradientAll);
  table.softmax = &HWY_DYNAMIC_DISPATCH(SoftmaxRows);
  table.multiply = &HWY_DYNAMIC_DISPATCH(MultiplyElements);
}

}  // namespace millrace::network::kernels

#endif  // HWY_ONCE
