// Kernels: the loops that networks are made of, behind one header.
//
// Every function picks at run time, once, the best instruction set that the machine has (AVX2 or
// AVX-512, both with fused multiply-add) and gives the same bits on each, for any number of rows
// and any thread count: each element of a product is one chain of fused multiply-adds over the
// inner index in ascending order, starting from zero. Threads split outputs and never the inner
// index.
//
// All matrices are float32, row-major. Spans must have the stated sizes; they may not overlap
// unless a function says so. Nothing here allocates, locks or fails. Thread-safe.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "millrace/model/v1/network.pb.h"

namespace millrace::network::kernels {

using model::v1::Activation;

/// Whether this machine has AVX2 and FMA; without them nothing else here may be called.
bool Supported();

/// The instruction set in use: "AVX2", "AVX3" and so on, Highway's names.
std::string_view LevelName();

/// Levels that this machine could use, worst first. For tests.
std::span<const std::int64_t> AvailableLevels();

/// Uses one level of AvailableLevels() in the whole process, or the best one again for 0. For
/// tests; not while other threads compute.
void ForceLevel(std::int64_t level);

/// Of a matrix, row-major.
struct Shape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// Floats that Pack() writes for W [inputs, outputs].
std::int64_t PackedSize(Shape weights);

/// Lays W out in the panels that Dense() reads. The layout is the same on every level.
void Pack(Shape weights, std::span<const float> w, std::span<float> packed);

/// Lays the transpose of W [inputs, outputs] out the same way, for gradients with respect to
/// inputs: PackedSize({outputs, inputs}) floats.
void PackTransposed(Shape weights, std::span<const float> w, std::span<float> packed);

/// y = f(x W + b); x [rows, inputs], y [rows, outputs].
///
/// `bias` is empty or [outputs]. f is any activation but softmax. For activations whose derivative
/// needs the sum before f (GELU), `sums` [rows, outputs] receives it when not empty.
struct DenseArguments {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::span<const float> packed;
  std::span<const float> bias;
  Activation activation = model::v1::ACTIVATION_UNSPECIFIED;
};

void Dense(const DenseArguments& dense,
           std::int64_t rows,
           const float* x,
           float* y,
           float* sums = nullptr);

/// Rows or columns that one thread works on.
struct Range {
  std::int64_t first = 0;  // included
  std::int64_t last = 0;   // excluded
};

/// The part of a matrix that one thread computes.
struct Region {
  Range rows;
  Range columns;
};

/// Dense() of a W that changes too often to be packed: the same bits, from W as it lies, for the
/// rows and outputs of `region` only. x, y and `sums` are those of the whole matrices.
struct UnpackedArguments {
  Shape weights;
  const float* w = nullptr;                                   // [inputs, outputs]
  const float* bias = nullptr;                                // [outputs], or null
  Activation activation = model::v1::ACTIVATION_UNSPECIFIED;  // any but softmax
};

void DenseUnpacked(const UnpackedArguments& dense,
                   const Region& region,
                   const float* x,
                   float* y,
                   float* sums = nullptr);

/// dx [rows, inputs] = (dy W^T) f'(.), for the rows and inputs of `region` only; one chain over the
/// outputs in ascending order. f is the activation whose output y was this layer's input;
/// ACTIVATION_UNSPECIFIED leaves it out.
struct InputGradientArguments {
  Shape weights;
  const float* w = nullptr;                                   // [inputs, outputs]
  Activation activation = model::v1::ACTIVATION_UNSPECIFIED;  // f
  const float* x = nullptr;                                   // f's input, for GELU; [rows, inputs]
  const float* y = nullptr;                                   // f's output; [rows, inputs]
};

void InputGradient(const InputGradientArguments& dense,
                   const Region& region,
                   const float* dy,
                   float* dx);

/// dW [inputs, outputs] = x^T dy for input rows [first, last) of dW only, so that threads can share
/// the work; one chain over the examples in ascending order. x [rows, inputs], dy [rows, outputs].
void WeightGradient(Shape weights,
                    std::int64_t rows,
                    const float* x,
                    const float* dy,
                    Range inputs,
                    float* dw);

/// db [outputs] = sum of the rows of dy [rows, outputs], ascending.
void BiasGradient(std::int64_t rows, std::int64_t outputs, const float* dy, float* db);

/// y = f(x) over `count` elements; x and y may be the same.
void Activate(Activation activation, std::int64_t count, const float* x, float* y);

/// dx = dy f'(.), element by element; dx and dy may be the same. `y` is f's output, and `x` its
/// input where the derivative needs it (GELU; otherwise it may be null).
void ActivationGradient(Activation activation,
                        std::int64_t count,
                        const float* x,
                        const float* y,
                        const float* dy,
                        float* dx);

/// y = softmax of each row of x [rows, columns], the row's largest value subtracted first; x and y
/// may be the same. Sums run over columns in ascending order.
void Softmax(std::int64_t rows, std::int64_t columns, const float* x, float* y);

/// y = x * factors, element by element; x and y may be the same.
void Multiply(std::int64_t count, const float* x, const float* factors, float* y);

/// log(x) of x > 0 that is not denormal; -infinity for 0, a NaN for a NaN. libm's differs from
/// release to release.
double Log(double x);

/// Sum over the rows, ascending and in double, of max(z, 0) - z t + log(1 + exp(-|z|)): the binary
/// cross-entropy of logits z [rows] and labels t [rows].
double LogisticLoss(std::int64_t rows, const float* logits, const float* labels);

/// Sum over the rows, ascending and in double, of log(sum_j exp(z_j)) - z_t: the categorical
/// cross-entropy of logits z [rows, columns] and labels t [rows], each in [0, columns).
double SoftmaxLoss(std::int64_t rows,
                   std::int64_t columns,
                   const float* logits,
                   const float* labels);

/// One pass of an optimizer over `count` parameters. `scalars` are computed once a step in double
/// by the caller and rounded to float (see training_spec.proto for the formulas).
struct SgdStep {
  float learning_rate = 0;
  float momentum = 0;
  bool nesterov = false;
};

/// `velocity` is null when momentum is 0.
void Sgd(const SgdStep& step,
         std::int64_t count,
         const float* gradient,
         float* velocity,
         float* weights);

struct AdamStep {
  float alpha = 0;  // learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
  // In double, since 1 - beta is what is used: in float, 1 - 0.999 is off by 5e-5 of its value.
  double beta_1 = 0;
  double beta_2 = 0;
  float epsilon = 0;
  float decay = 0;  // learning_rate weight_decay; 0 for Adam
};

void Adam(const AdamStep& step,
          std::int64_t count,
          const float* gradient,
          float* m,
          float* v,
          float* weights);

struct RmsPropStep {
  float learning_rate = 0;
  double rho = 0;  // in double, as Adam's
  float epsilon = 0;
};

void RmsProp(const RmsPropStep& step,
             std::int64_t count,
             const float* gradient,
             float* v,
             float* weights);

}  // namespace millrace::network::kernels
