// The optimizers: one pass over the parameters, each element alone.

#include <cstddef>
#include <cstdint>

#include "common/network/kernels/kernels.h"
#include "common/network/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/network/kernels/optimizers.cc"
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

// Reads and writes whole vectors, or the first lanes of one.
struct Whole {
  HWY_INLINE Vector Load(const float* from) const { return hn::LoadU(Tag(), from); }

  HWY_INLINE void Store(Vector value, float* to) const { hn::StoreU(value, Tag(), to); }
};

struct Rest {
  hn::Mask<Tag> mask;

  HWY_INLINE Vector Load(const float* from) const { return hn::MaskedLoad(mask, Tag(), from); }

  HWY_INLINE void Store(Vector value, float* to) const { hn::BlendedStore(value, mask, Tag(), to); }
};

template <class Update>
HWY_INLINE void ForEachVector(std::int64_t count, Update update) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    update(Whole{}, i);
  }
  if (i < count) {
    update(Rest{hn::FirstN(Tag(), static_cast<std::size_t>(count - i))}, i);
  }
}

void UpdateSgd(const SgdStep& step,
               std::int64_t count,
               const float* gradient,
               float* velocity,
               float* weights) {
  const Vector rate = hn::Set(Tag(), step.learning_rate);
  if (velocity == nullptr) {
    return ForEachVector(count, [&](const auto& part, std::int64_t i) HWY_ATTR {
      const Vector w = part.Load(weights + i);
      part.Store(hn::NegMulAdd(rate, part.Load(gradient + i), w), weights + i);
    });
  }
  const Vector momentum = hn::Set(Tag(), step.momentum);
  const bool nesterov = step.nesterov;
  ForEachVector(count, [&](const auto& part, std::int64_t i) HWY_ATTR {
    const Vector move = hn::Mul(rate, part.Load(gradient + i));
    const Vector v = hn::MulSub(momentum, part.Load(velocity + i), move);
    part.Store(v, velocity + i);
    const Vector ahead = nesterov ? hn::MulSub(momentum, v, move) : v;
    part.Store(hn::Add(part.Load(weights + i), ahead), weights + i);
  });
}

// NOLINTNEXTLINE(readability-function-size): the arrays are what they are.
void UpdateAdam(const AdamStep& step,
                std::int64_t count,
                const float* gradient,
                float* m,
                float* v,
                float* weights) {
  const Tag f;
  const Vector alpha = hn::Set(f, step.alpha);
  const Vector new_1 = hn::Set(f, static_cast<float>(1.0 - step.beta_1));
  const Vector new_2 = hn::Set(f, static_cast<float>(1.0 - step.beta_2));
  const Vector epsilon = hn::Set(f, step.epsilon);
  const Vector decay = hn::Set(f, step.decay);
  ForEachVector(count, [&](const auto& part, std::int64_t i) HWY_ATTR {
    const Vector g = part.Load(gradient + i);
    Vector first = part.Load(m + i);
    first = hn::MulAdd(hn::Sub(g, first), new_1, first);
    Vector second = part.Load(v + i);
    second = hn::MulAdd(hn::MulSub(g, g, second), new_2, second);
    part.Store(first, m + i);
    part.Store(second, v + i);
    Vector w = part.Load(weights + i);
    w = hn::NegMulAdd(decay, w, w);
    const Vector scale = hn::Add(hn::Sqrt(second), epsilon);
    part.Store(hn::Sub(w, hn::Div(hn::Mul(alpha, first), scale)), weights + i);
  });
}

void UpdateRmsProp(const RmsPropStep& step,
                   std::int64_t count,
                   const float* gradient,
                   float* v,
                   float* weights) {
  const Tag f;
  const Vector rate = hn::Set(f, step.learning_rate);
  const Vector fresh = hn::Set(f, static_cast<float>(1.0 - step.rho));
  const Vector epsilon = hn::Set(f, step.epsilon);
  ForEachVector(count, [&](const auto& part, std::int64_t i) HWY_ATTR {
    const Vector g = part.Load(gradient + i);
    Vector square = part.Load(v + i);
    square = hn::MulAdd(hn::MulSub(g, g, square), fresh, square);
    part.Store(square, v + i);
    const Vector scale = hn::Sqrt(hn::Add(square, epsilon));
    const Vector w = part.Load(weights + i);
    part.Store(hn::Sub(w, hn::Div(hn::Mul(rate, g), scale)), weights + i);
  });
}

}  // namespace millrace::network::kernels::HWY_NAMESPACE

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace millrace::network::kernels {

namespace {

HWY_EXPORT(UpdateSgd);
HWY_EXPORT(UpdateAdam);
HWY_EXPORT(UpdateRmsProp);

}  // namespace

void AddOptimizers(Table& table) {
  table.sgd = &HWY_DYNAMIC_DISPATCH(UpdateSgd);
  table.adam = &HWY_DYNAMIC_DISPATCH(UpdateAdam);
  table.rms_prop = &HWY_DYNAMIC_DISPATCH(UpdateRmsProp);
}

}  // namespace millrace::network::kernels

#endif  // HWY_ONCE
