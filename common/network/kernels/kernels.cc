// The choice of the instruction set, and the public functions in terms of the chosen Table.

#include "common/network/kernels/kernels.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include <hwy/targets.h>

#include "common/network/kernels/table.h"
#include "common/status/check.h"

namespace millrace::network::kernels {

namespace {

constexpr std::int64_t kCompiled = HWY_AVX2 | HWY_AVX3;

// Null until first use. Constant-initialized, so that other static objects may use kernels.
constinit std::atomic<const Table*> active{nullptr};

Table MakeTable(std::int64_t level) {
  hwy::GetChosenTarget().Update(level);
  Table table{};
  table.level = level;
  AddProduct(table);
  AddElementwise(table);
  AddOptimizers(table);
  AddLosses(table);
  return table;
}

// Best first, as Highway's smaller bits are better.
std::int64_t BestLevel() {
  const std::int64_t levels = hwy::SupportedTargets() & kCompiled;
  CHECK(levels != 0);
  return levels & -levels;
}

const Table& Resolve() {
  static const Table best = MakeTable(BestLevel());
  active.store(&best, std::memory_order_release);
  return best;
}

const Table& Active() {
  const Table* table = active.load(std::memory_order_acquire);
  if (table == nullptr) [[unlikely]] {
    return Resolve();
  }
  return *table;
}

std::int64_t Size(const Range& range) {
  return range.last - range.first;
}

void RunDense(Product product, Activation activation, float* y, float* sums) {
  const bool keeps = sums != nullptr;
  const bool relu = activation == model::v1::ACTIVATION_RELU && !keeps;
  product.c = keeps ? sums : y;
  product.finish = relu ? Product::Finish::kRelu : Product::Finish::kNothing;
  const Table& table = Active();
  table.product(product);
  if (relu || (activation == model::v1::ACTIVATION_UNSPECIFIED && !keeps)) {
    return;
  }
  if (product.columns == product.c_stride) {
    table.activate(activation, product.rows * product.columns, product.c, y);
    return;
  }
  for (std::int64_t row = 0; row < product.rows; ++row) {
    const std::int64_t start = row * product.c_stride;
    table.activate(activation, product.columns, product.c + start, y + start);
  }
}

}  // namespace

bool Supported() {
  return (hwy::SupportedTargets() & kCompiled) != 0;
}

std::string_view LevelName() {
  return hwy::TargetName(Active().level);
}

std::span<const std::int64_t> AvailableLevels() {
  static const std::array<std::int64_t, 2> levels{HWY_AVX2, HWY_AVX3};
  const bool has_avx3 = (hwy::SupportedTargets() & HWY_AVX3) != 0;
  return std::span(levels).first(Supported() ? (has_avx3 ? 2U : 1U) : 0U);
}

void ForceLevel(std::int64_t level) {
  static Table forced;
  if (level == 0) {
    active.store(&Resolve(), std::memory_order_release);
    return;
  }
  CHECK(std::ranges::count(AvailableLevels(), level) == 1);
  forced = MakeTable(level);
  active.store(&forced, std::memory_order_release);
}

std::int64_t PackedSize(Shape weights) {
  return (weights.columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns * weights.rows;
}

void Pack(Shape weights, std::span<const float> w, std::span<float> packed) {
  Active().pack(weights, w.data(), packed.data());
}

void PackTransposed(Shape weights, std::span<const float> w, std::span<float> packed) {
  Active().pack_transposed(weights, w.data(), packed.data());
}

void Dense(const DenseArguments& dense, std::int64_t rows, const float* x, float* y, float* sums) {
  const Product product{.rows = rows,
                        .inner = dense.inputs,
                        .columns = dense.outputs,
                        .a = x,
                        .a_row = dense.inputs,
                        .a_inner = 1,
                        .b = dense.packed.data(),
                        .right = Product::Right::kPanels,
                        .c_stride = dense.outputs,
                        .bias = dense.bias.empty() ? nullptr : dense.bias.data()};
  RunDense(product, dense.activation, y, sums);
}

void DenseUnpacked(const UnpackedArguments& dense,
                   const Region& region,
                   const float* x,
                   float* y,
                   float* sums) {
  const auto [inputs, outputs] = dense.weights;
  const std::int64_t start = region.rows.first * outputs + region.columns.first;
  const Product product{
      .rows = Size(region.rows),
      .inner = inputs,
      .columns = Size(region.columns),
      .a = x + region.rows.first * inputs,
      .a_row = inputs,
      .a_inner = 1,
      .b = dense.w + region.columns.first,
      .b_stride = outputs,
      .right = Product::Right::kRowMajor,
      .c_stride = outputs,
      .bias = dense.bias == nullptr ? nullptr : dense.bias + region.columns.first};
  RunDense(product, dense.activation, y + start, sums == nullptr ? nullptr : sums + start);
}

void InputGradient(const InputGradientArguments& dense,
                   const Region& region,
                   const float* dy,
                   float* dx) {
  const auto [inputs, outputs] = dense.weights;
  const std::int64_t start = region.rows.first * inputs + region.columns.first;
  const bool gated = dense.activation == model::v1::ACTIVATION_RELU;
  const Table& table = Active();
  table.product({.rows = Size(region.rows),
                 .inner = outputs,
                 .columns = Size(region.columns),
                 .a = dy + region.rows.first * outputs,
                 .a_row = outputs,
                 .a_inner = 1,
                 .b = dense.w + region.columns.first * outputs,
                 .b_stride = outputs,
                 .right = Product::Right::kTransposed,
                 .c = dx + start,
                 .c_stride = inputs,
                 .finish = gated ? Product::Finish::kGate : Product::Finish::kNothing,
                 .gate = gated ? dense.y + start : nullptr});
  if (gated || dense.activation == model::v1::ACTIVATION_UNSPECIFIED) {
    return;
  }
  const bool whole = Size(region.columns) == inputs;
  const std::int64_t rows = whole ? 1 : Size(region.rows);
  const std::int64_t count = whole ? Size(region.rows) * inputs : Size(region.columns);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t at = start + row * inputs;
    const float* x = dense.x == nullptr ? nullptr : dense.x + at;
    table.activation_gradient(dense.activation, count, x, dense.y + at, dx + at, dx + at);
  }
}

// NOLINTNEXTLINE(readability-function-size): the arrays are what they are.
void WeightGradient(Shape weights,
                    std::int64_t rows,
                    const float* x,
                    const float* dy,
                    Range inputs,
                    float* dw) {
  const Table& table = Active();
  if (weights.columns == 1) {
    // A column of dW is as contiguous as a row: x takes the vectors' place. The factors of each
    // multiply-add change places, which does not change its bits.
    table.product({.rows = 1,
                   .inner = rows,
                   .columns = Size(inputs),
                   .a = dy,
                   .a_row = 0,
                   .a_inner = 1,
                   .b = x + inputs.first,
                   .b_stride = weights.rows,
                   .right = Product::Right::kRowMajor,
                   .c = dw + inputs.first,
                   .c_stride = Size(inputs)});
    return;
  }
  table.product({.rows = Size(inputs),
                 .inner = rows,
                 .columns = weights.columns,
                 .a = x + inputs.first,
                 .a_row = 1,
                 .a_inner = weights.rows,
                 .b = dy,
                 .b_stride = weights.columns,
                 .right = Product::Right::kRowMajor,
                 .c = dw + inputs.first * weights.columns,
                 .c_stride = weights.columns});
}

void BiasGradient(std::int64_t rows, std::int64_t outputs, const float* dy, float* db) {
  Active().bias_gradient(rows, outputs, dy, db);
}

void Activate(Activation activation, std::int64_t count, const float* x, float* y) {
  Active().activate(activation, count, x, y);
}

// NOLINTNEXTLINE(readability-function-size): the arrays are what they are.
void ActivationGradient(Activation activation,
                        std::int64_t count,
                        const float* x,
                        const float* y,
                        const float* dy,
                        float* dx) {
  Active().activation_gradient(activation, count, x, y, dy, dx);
}

void Softmax(std::int64_t rows, std::int64_t columns, const float* x, float* y) {
  Active().softmax(rows, columns, x, y);
}

void Multiply(std::int64_t count, const float* x, const float* factors, float* y) {
  Active().multiply(count, x, factors, y);
}

double Log(double x) {
  return Active().log(x);
}

double LogisticLoss(std::int64_t rows, const float* logits, const float* labels) {
  return Active().logistic_loss(rows, logits, labels);
}

double SoftmaxLoss(std::int64_t rows,
                   std::int64_t columns,
                   const float* logits,
                   const float* labels) {
  return Active().softmax_loss(rows, columns, logits, labels);
}

void Sgd(const SgdStep& step,
         std::int64_t count,
         const float* gradient,
         float* velocity,
         float* weights) {
  Active().sgd(step, count, gradient, velocity, weights);
}

// NOLINTNEXTLINE(readability-function-size): the arrays are what they are.
void Adam(const AdamStep& step,
          std::int64_t count,
          const float* gradient,
          float* m,
          float* v,
          float* weights) {
  Active().adam(step, count, gradient, m, v, weights);
}

void RmsProp(const RmsPropStep& step,
             std::int64_t count,
             const float* gradient,
             float* v,
             float* weights) {
  Active().rms_prop(step, count, gradient, v, weights);
}

}  // namespace millrace::network::kernels
