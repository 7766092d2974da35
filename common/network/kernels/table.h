// Table: the kernels of one instruction set, as pointers. Internal to this folder.

#pragma once

#include <cstdint>

#include "common/network/kernels/kernels.h"

namespace millrace::network::kernels {

/// Floats side by side in a packed panel, on every level.
inline constexpr std::int64_t kPanelColumns = 16;

/// C [rows, columns] = A [rows, inner] B [inner, columns], then what `finish` says. Each element is
/// one chain over the inner index, ascending, from zero.
struct Product {
  /// How B lies in memory.
  enum class Right {
    kRowMajor,    // B(p, j) = b[p * b_stride + j]
    kTransposed,  // B(p, j) = b[j * b_stride + p]
    kPanels,  // as Pack() writes it: panels of kPanelColumns columns, each [inner, kPanelColumns]
  };

  /// What is done to a finished sum before it is stored.
  enum class Finish {
    kNothing,
    kRelu,  // max(sum, 0)
    kGate,  // sum where gate > 0, else 0: the derivative of relu by its output
  };

  std::int64_t rows = 0;
  std::int64_t inner = 0;
  std::int64_t columns = 0;
  const float* a = nullptr;  // A(i, p) = a[i * a_row + p * a_inner]
  std::int64_t a_row = 0;
  std::int64_t a_inner = 0;
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  Right right = Right::kRowMajor;
  float* c = nullptr;  // C(i, j) = c[i * c_stride + j]
  std::int64_t c_stride = 0;
  const float* bias = nullptr;  // [columns], or null
  Finish finish = Finish::kNothing;
  const float* gate = nullptr;  // [rows, columns] with stride c_stride
};

struct Table {
  std::int64_t level;

  void (*product)(const Product&);
  void (*pack)(Shape, const float*, float*);
  void (*pack_transposed)(Shape, const float*, float*);
  void (*bias_gradient)(std::int64_t, std::int64_t, const float*, float*);

  void (*activate)(Activation, std::int64_t, const float*, float*);
  void (*activation_gradient)(Activation,
                              std::int64_t,
                              const float*,
                              const float*,
                              const float*,
                              float*);
  void (*softmax)(std::int64_t, std::int64_t, const float*, float*);
  void (*multiply)(std::int64_t, const float*, const float*, float*);

  void (*sgd)(const SgdStep&, std::int64_t, const float*, float*, float*);
  void (*adam)(const AdamStep&, std::int64_t, const float*, float*, float*, float*);
  void (*rms_prop)(const RmsPropStep&, std::int64_t, const float*, float*, float*);

  double (*log)(double);
  double (*logistic_loss)(std::int64_t, const float*, const float*);
  double (*softmax_loss)(std::int64_t, std::int64_t, const float*, const float*);
};

// Each source fills in its part for the level that Highway has chosen.
void AddProduct(Table& table);
void AddElementwise(Table& table);
void AddOptimizers(Table& table);
void AddLosses(Table& table);

}  // namespace millrace::network::kernels
