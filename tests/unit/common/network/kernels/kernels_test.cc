#include "common/network/kernels/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/network/kernels/levels.h"

namespace millrace::network::kernels {
namespace {

using model::v1::ACTIVATION_GELU;
using model::v1::ACTIVATION_LEAKY_RELU;
using model::v1::ACTIVATION_RELU;
using model::v1::ACTIVATION_SIGMOID;
using model::v1::ACTIVATION_TANH;
using model::v1::ACTIVATION_UNSPECIFIED;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One chain of fused multiply-adds over p, from zero: the contract itself, element by element.
Floats ChainProduct(Shape c, std::int64_t inner, const Floats& a, const Floats& b) {
  Floats product(static_cast<std::size_t>(c.rows * c.columns));
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.columns; ++j) {
      float sum = 0;
      for (std::int64_t p = 0; p < inner; ++p) {
        sum = std::fma(a[static_cast<std::size_t>(i * inner + p)],
                       b[static_cast<std::size_t>(p * c.columns + j)],
                       sum);
      }
      product[static_cast<std::size_t>(i * c.columns + j)] = sum;
    }
  }
  return product;
}

Floats Transpose(Shape from, const Floats& x) {
  Floats y(x.size());
  for (std::int64_t i = 0; i < from.rows; ++i) {
    for (std::int64_t j = 0; j < from.columns; ++j) {
      y[static_cast<std::size_t>(j * from.rows + i)] =
          x[static_cast<std::size_t>(i * from.columns + j)];
    }
  }
  return y;
}

// NOLINTNEXTLINE(readability-function-size): what the kernel takes, one by one
Floats RunPacked(Shape weights,
                 std::int64_t rows,
                 const Floats& x,
                 const Floats& w,
                 const Floats& bias,
                 Activation activation = ACTIVATION_UNSPECIFIED) {
  Floats packed(static_cast<std::size_t>(PackedSize(weights)), kNan);
  Pack(weights, w, packed);
  Floats y(static_cast<std::size_t>(rows * weights.columns), kNan);
  Dense({.inputs = weights.rows,
         .outputs = weights.columns,
         .packed = packed,
         .bias = bias,
         .activation = activation},
        rows,
        x.data(),
        y.data());
  return y;
}

// NOLINTNEXTLINE(readability-function-size): what the kernel takes, one by one
Floats RunUnpacked(Shape weights,
                   std::int64_t rows,
                   const Floats& x,
                   const Floats& w,
                   const Floats& bias,
                   Activation activation = ACTIVATION_UNSPECIFIED) {
  Floats y(static_cast<std::size_t>(rows * weights.columns), kNan);
  DenseUnpacked(
      {.weights = weights, .w = w.data(), .bias = bias.data(), .activation = activation},
      {.rows = {.first = 0, .last = rows}, .columns = {.first = 0, .last = weights.columns}},
      x.data(),
      y.data());
  return y;
}

struct Size {
  std::int64_t rows;
  std::int64_t inputs;
  std::int64_t outputs;
};

// Every width and height from 1 to 70 at least once, and a few that fill several blocks.
std::vector<Size> Sizes() {
  std::vector<Size> sizes;
  for (std::int64_t n = 1; n <= 70; ++n) {
    sizes.push_back({n, 71 - n, (n * 37) % 70 + 1});
    sizes.push_back({(n * 29) % 70 + 1, n, 71 - n});
    sizes.push_back({71 - n, (n * 43) % 70 + 1, n});
    sizes.push_back({n, n, 1});
  }
  for (const Size& large :
       {Size{33, 700, 65}, Size{128, 257, 97}, Size{25, 512, 130}, Size{1, 600, 300}}) {
    sizes.push_back(large);
  }
  return sizes;
}

TEST(KernelsTest, ProductsAreOneChainOfFusedMultiplyAddsAtEverySize) {
  AtEachLevel([] {
    for (const auto& [rows, inputs, outputs] : Sizes()) {
      const Shape weights{.rows = inputs, .columns = outputs};
      const Floats x = Random(rows * inputs, 1);
      const Floats w = Random(inputs * outputs, 2);
      const Floats bias = Random(outputs, 3);
      Floats expected = ChainProduct({.rows = rows, .columns = outputs}, inputs, x, w);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] += bias[i % static_cast<std::size_t>(outputs)];
      }

      ASSERT_TRUE(SameBits(RunPacked(weights, rows, x, w, bias), expected))
          << rows << " x " << inputs << " x " << outputs;
      ASSERT_TRUE(SameBits(RunUnpacked(weights, rows, x, w, bias), expected))
          << rows << " x " << inputs << " x " << outputs;
    }
  });
}

TEST(KernelsTest, WeightAndInputGradientsAreOneChainAtEverySize) {
  AtEachLevel([] {
    for (const auto& [rows, inputs, outputs] : Sizes()) {
      const Shape weights{.rows = inputs, .columns = outputs};
      const Floats x = Random(rows * inputs, 1);
      const Floats dy = Random(rows * outputs, 2);
      const Floats w = Random(inputs * outputs, 3);
      const Floats w_transposed = Transpose(weights, w);
      const Floats dw_expected =
          ChainProduct(weights, rows, Transpose({.rows = rows, .columns = inputs}, x), dy);
      const Floats dx_expected =
          ChainProduct({.rows = rows, .columns = inputs}, outputs, dy, w_transposed);

      Floats dw(w.size(), kNan);
      const std::int64_t middle = inputs / 3;
      WeightGradient(weights, rows, x.data(), dy.data(), {.first = 0, .last = middle}, dw.data());
      WeightGradient(
          weights, rows, x.data(), dy.data(), {.first = middle, .last = inputs}, dw.data());
      Floats dx(x.size(), kNan);
      InputGradient({.weights = weights, .w = w.data()},
                    {.rows = {.first = 0, .last = rows}, .columns = {.first = 0, .last = inputs}},
                    dy.data(),
                    dx.data());
      Floats packed(static_cast<std::size_t>(PackedSize({.rows = outputs, .columns = inputs})));
      PackTransposed(weights, w, packed);
      Floats dx_packed(x.size(), kNan);
      Dense({.inputs = outputs, .outputs = inputs, .packed = packed, .bias = {}},
            rows,
            dy.data(),
            dx_packed.data());

      ASSERT_TRUE(SameBits(dw, dw_expected)) << rows << " x " << inputs << " x " << outputs;
      ASSERT_TRUE(SameBits(dx, dx_expected)) << rows << " x " << inputs << " x " << outputs;
      ASSERT_TRUE(SameBits(dx_packed, dx_expected)) << rows << " x " << inputs << " x " << outputs;
    }
  });
}

TEST(KernelsTest, RegionsPutTogetherAreTheWhole) {
  constexpr std::int64_t kRows = 45;
  const Shape weights{.rows = 30, .columns = 75};
  const Floats x = Random(kRows * weights.rows, 1);
  const Floats w = Random(weights.rows * weights.columns, 2);
  const Floats bias = Random(weights.columns, 3);
  const Floats dy = Random(kRows * weights.columns, 4);
  for (const Activation activation :
       {ACTIVATION_UNSPECIFIED, ACTIVATION_RELU, ACTIVATION_TANH, ACTIVATION_GELU}) {
    const Floats whole = RunUnpacked(weights, kRows, x, w, bias, activation);
    Floats parts(whole.size(), kNan);
    Floats sums(whole.size(), kNan);
    Floats dx_whole(x.size());
    Floats dx_parts(x.size(), kNan);
    const Floats below = Random(kRows * weights.rows, 5);
    const InputGradientArguments gradient{.weights = weights,
                                          .w = w.data(),
                                          .activation = activation,
                                          .x = below.data(),
                                          .y = below.data()};
    InputGradient(gradient, {{0, kRows}, {0, weights.rows}}, dy.data(), dx_whole.data());
    for (const Range& rows : {Range{0, 17}, Range{17, kRows}}) {
      for (const Range& columns : {Range{0, 33}, Range{33, 75}}) {
        DenseUnpacked(
            {.weights = weights, .w = w.data(), .bias = bias.data(), .activation = activation},
            {.rows = rows, .columns = columns},
            x.data(),
            parts.data(),
            sums.data());
      }
      for (const Range& columns : {Range{0, 9}, Range{9, 30}}) {
        InputGradient(gradient, {.rows = rows, .columns = columns}, dy.data(), dx_parts.data());
      }
    }
    EXPECT_TRUE(SameBits(parts, whole)) << activation;
    EXPECT_TRUE(SameBits(sums, RunUnpacked(weights, kRows, x, w, bias))) << activation;
    EXPECT_TRUE(SameBits(dx_parts, dx_whole)) << activation;
  }
}

// A row's bits do not depend on where it lies, nor on how many others there are.
TEST(KernelsTest, ARowIsTheSameAloneFirstLastAndAmongOthers) {
  const Shape weights{.rows = 300, .columns = 43};
  const Floats w = Random(weights.rows * weights.columns, 2);
  const Floats bias = Random(weights.columns, 3);
  const Floats row = Random(weights.rows, 4);
  const Floats alone = RunPacked(weights, 1, row, w, bias, ACTIVATION_SIGMOID);
  AtEachLevel([&] {
    for (std::int64_t rows = 1; rows <= 200; rows += rows < 30 ? 1 : 17) {
      for (const std::int64_t place : {std::int64_t{0}, rows / 2, rows - 1}) {
        Floats x = Random(rows * weights.rows, 5);
        std::copy(row.begin(), row.end(), x.begin() + place * weights.rows);
        for (const auto& run : {RunPacked, RunUnpacked}) {
          const Floats y = run(weights, rows, x, w, bias, ACTIVATION_SIGMOID);
          const auto first = y.begin() + place * weights.columns;
          ASSERT_TRUE(SameBits({first, first + weights.columns}, alone)) << place << " of " << rows;
        }
      }
    }
  });
}

TEST(KernelsTest, BiasGradientAddsTheRowsInOrder) {
  AtEachLevel([] {
    for (std::int64_t outputs = 1; outputs <= 70; ++outputs) {
      const std::int64_t rows = 71 - outputs;
      const Floats dy = Random(rows * outputs, 1);
      Floats expected(static_cast<std::size_t>(outputs));
      for (std::size_t i = 0; i < dy.size(); ++i) {
        expected[i % static_cast<std::size_t>(outputs)] += dy[i];
      }

      Floats db(expected.size(), kNan);
      BiasGradient(rows, outputs, dy.data(), db.data());

      ASSERT_TRUE(SameBits(db, expected)) << outputs;
    }
  });
}

double Exact(Activation activation, double x) {
  switch (activation) {
    case ACTIVATION_SIGMOID:
      return 1 / (1 + std::exp(-x));
    case ACTIVATION_TANH:
      return std::tanh(x);
    case ACTIVATION_RELU:
      return std::max(x, 0.0);
    case ACTIVATION_LEAKY_RELU:
      return x > 0 ? x : static_cast<double>(0.01F) * x;
    case ACTIVATION_GELU:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    default:
      return x;
  }
}

double ExactDerivative(Activation activation, double x) {
  const double y = Exact(activation, x);
  switch (activation) {
    case ACTIVATION_SIGMOID:
      return y * (1 - y);
    case ACTIVATION_TANH:
      return 1 - y * y;
    case ACTIVATION_RELU:
      return x > 0 ? 1 : 0;
    case ACTIVATION_LEAKY_RELU:
      return x > 0 ? 1 : 0.01;
    case ACTIVATION_GELU:
      return std::erfc(-x / std::sqrt(2.0)) / 2 +
             x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
    default:
      return 1;
  }
}

constexpr Activation kActivations[] = {ACTIVATION_UNSPECIFIED,
                                       ACTIVATION_SIGMOID,
                                       ACTIVATION_TANH,
                                       ACTIVATION_RELU,
                                       ACTIVATION_LEAKY_RELU,
                                       ACTIVATION_GELU};

// Units in the last place of the exact result, which are those of the smallest normal number below
// it.
double Ulps(float found, double exact) {
  const double size = std::max(std::abs(exact), 1.2e-38);
  const double ulp = std::ldexp(1.0, std::ilogb(size) - 23);
  return std::abs(static_cast<double>(found) - exact) / ulp;
}

TEST(KernelsTest, SigmoidAndTanhAreGoodToTwoUlpsAndNeverFall) {
  constexpr std::int64_t kRun = 64;      // floats side by side
  constexpr std::uint32_t kHop = 49999;  // from run to run, through all floats of either sign
  for (const Activation activation : {ACTIVATION_SIGMOID, ACTIVATION_TANH}) {
    for (const float sign : {1.0F, -1.0F}) {
      double worst = 0;
      float last = activation == ACTIVATION_TANH ? 0.0F : 0.5F;
      for (std::uint32_t first = 0; first < std::bit_cast<std::uint32_t>(kInfinity);
           first += kHop) {
        Floats x(kRun);
        for (std::uint32_t i = 0; i < kRun; ++i) {
          x[i] = sign * std::bit_cast<float>(first + i);
        }
        Floats y(kRun);
        Activate(activation, kRun, x.data(), y.data());
        for (std::size_t i = 0; i < x.size() && x[i] > -87.0F; ++i) {
          ASSERT_GE(sign * (y[i] - last), 0.0F) << activation << " falls at " << x[i];
          last = y[i];
        }
        if (x[0] > -87.0F) {
          worst = std::max(worst, Ulps(y[0], Exact(activation, static_cast<double>(x[0]))));
        }
      }
      EXPECT_LE(worst, 2) << activation;
    }
  }
}

TEST(KernelsTest, LogIsGoodToTwoUlpsAndKnowsItsLimits) {
  AtEachLevel([] {
    for (double x = 1e-300; x < 1e300; x *= 1.0137) {
      const double exact = std::log(x);
      ASSERT_NEAR(Log(x), exact, 2 * std::ldexp(1.0, std::ilogb(exact) - 52)) << x;
    }
    EXPECT_EQ(Log(1.0), 0.0);
    EXPECT_EQ(Log(0.0), -std::numeric_limits<double>::infinity());
    EXPECT_EQ(Log(std::numeric_limits<double>::infinity()),
              std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(Log(std::numeric_limits<double>::quiet_NaN())));
  });
}

TEST(KernelsTest, ActivationsAreExactToAFewUlps) {
  for (const Activation activation : kActivations) {
    double worst = 0;
    float where = 0;
    for (float x = -6.0F; x < 12.0F; x += 0.00037F) {
      float y = 0;
      Activate(activation, 1, &x, &y);
      const double error = Ulps(y, Exact(activation, static_cast<double>(x)));
      if (error > worst) {
        worst = error;
        where = x;
      }
    }
    RecordProperty(model::v1::Activation_Name(activation), std::to_string(worst));
    EXPECT_LE(worst, activation == ACTIVATION_GELU ? 6 : 2)
        << model::v1::Activation_Name(activation) << " at " << where;
  }
}

TEST(KernelsTest, ActivationsDoNotDependOnPlaceOrLevel) {
  for (const Activation activation : kActivations) {
    const Floats x = Random(70, 1, 9.0F);
    Floats alone(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      Activate(activation, 1, &x[i], &alone[i]);
    }
    for (std::int64_t count = 1; count <= 70; ++count) {
      ExpectSameAtEachLevel([&] {
        Floats y(x.begin(), x.begin() + count);
        Activate(activation, count, y.data(), y.data());
        EXPECT_TRUE(SameBits(y, {alone.begin(), alone.begin() + count})) << count;
        return y;
      });
    }
  }
}

TEST(KernelsTest, ActivationGradientsAreTheDerivatives) {
  for (const Activation activation : kActivations) {
    ExpectSameAtEachLevel([&] {
      const Floats x = Random(67, 1, 6.0F);
      Floats y(x.size());
      Floats dx = Random(67, 2);
      const Floats dy = dx;
      Activate(activation, 67, x.data(), y.data());
      ActivationGradient(activation, 67, x.data(), y.data(), dx.data(), dx.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double slope = ExactDerivative(activation, static_cast<double>(x[i]));
        EXPECT_NEAR(dx[i], static_cast<double>(dy[i]) * slope, 3e-7)
            << activation << " at " << x[i];
      }
      return dx;
    });
  }
}

TEST(KernelsTest, NotANumberStaysOneAndLimitsAreReached) {
  AtEachLevel([] {
    for (const Activation activation : kActivations) {
      Floats x(19, 1.0F);
      x[3] = kNan;
      x[18] = kNan;
      Floats y(x.size());
      Activate(activation, 19, x.data(), y.data());
      EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[18])) << activation;
      EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[17])) << activation;
    }
    const auto at = [](Activation activation, float x) {
      float y = 0;
      Activate(activation, 1, &x, &y);
      return y;
    };
    EXPECT_EQ(at(ACTIVATION_SIGMOID, kInfinity), 1.0F);
    EXPECT_EQ(at(ACTIVATION_SIGMOID, -kInfinity), 0.0F);
    EXPECT_EQ(at(ACTIVATION_SIGMOID, 1e30F), 1.0F);
    EXPECT_EQ(at(ACTIVATION_SIGMOID, -1e30F), 0.0F);
    EXPECT_EQ(at(ACTIVATION_TANH, kInfinity), 1.0F);
    EXPECT_EQ(at(ACTIVATION_TANH, -kInfinity), -1.0F);
    EXPECT_EQ(at(ACTIVATION_GELU, kInfinity), kInfinity);
    EXPECT_EQ(at(ACTIVATION_GELU, -kInfinity), 0.0F);
    EXPECT_EQ(at(ACTIVATION_GELU, 1e30F), 1e30F);
    EXPECT_EQ(at(ACTIVATION_RELU, kInfinity), kInfinity);
    const Floats x = {1.0F, kNan, 2.0F};
    Floats y =
        RunUnpacked({.rows = 1, .columns = 2}, 3, x, {1.0F, -1.0F}, {0.0F, 0.0F}, ACTIVATION_RELU);
    EXPECT_TRUE(std::isnan(y[2]) && std::isnan(y[3]));
    EXPECT_EQ(y[5], 0.0F);
  });
}

TEST(KernelsTest, SoftmaxRowsSumToOneAndDoNotOverflow) {
  for (std::int64_t columns = 1; columns <= 70; ++columns) {
    ExpectSameAtEachLevel([&] {
      const std::int64_t rows = 3;
      Floats x = Random(rows * columns, 1, 5.0F);
      x[0] = 1e30F;
      Floats y = x;
      Softmax(rows, columns, y.data(), y.data());
      EXPECT_EQ(y[0], 1.0F);
      for (std::int64_t row = 1; row < rows; ++row) {
        double sum = 0;
        for (std::int64_t j = 0; j < columns; ++j) {
          sum += std::exp(static_cast<double>(x[static_cast<std::size_t>(row * columns + j)]));
        }
        for (std::int64_t j = 0; j < columns; ++j) {
          const auto i = static_cast<std::size_t>(row * columns + j);
          EXPECT_NEAR(y[i], std::exp(static_cast<double>(x[i])) / sum, 1e-6);
        }
      }
      return y;
    });
  }
  Floats y = {1.0F, kNan, 2.0F};
  Softmax(1, 3, y.data(), y.data());
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]));
}

TEST(KernelsTest, LossesOfLogitsAreExactAndTheSameOnEveryLevel) {
  for (std::int64_t rows = 1; rows <= 70; ++rows) {
    const Floats logits = Random(rows * 5, 1, 20.0F);
    Floats labels(static_cast<std::size_t>(rows));
    Floats classes(static_cast<std::size_t>(rows));
    double logistic = 0;
    double softmax = 0;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      labels[row] = static_cast<float>(row % 2);
      classes[row] = static_cast<float>(row % 5);
      const auto z = static_cast<double>(logits[row]);
      logistic += std::max(z, 0.0) - z * static_cast<double>(labels[row]) +
                  std::log1p(std::exp(-std::abs(z)));
      double sum = 0;
      for (std::size_t j = 0; j < 5; ++j) {
        sum += std::exp(static_cast<double>(logits[row * 5 + j]));
      }
      softmax += std::log(sum) - static_cast<double>(logits[row * 5 + row % 5]);
    }
    std::vector<double> found;
    AtEachLevel([&] {
      found.push_back(LogisticLoss(rows, logits.data(), labels.data()));
      found.push_back(SoftmaxLoss(rows, 5, logits.data(), classes.data()));
    });
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(
          found[i], i % 2 == 0 ? logistic : softmax, 1e-12 * static_cast<double>(rows) * 20);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(found[i]), std::bit_cast<std::uint64_t>(found[i % 2]));
    }
  }
}

TEST(KernelsTest, LossesOfExtremeLogitsAreFiniteAndOfNotANumberAreNot) {
  const Floats logits = {1e30F, -1e30F, 3e38F};
  const Floats labels = {1.0F, 0.0F, 1.0F};
  EXPECT_EQ(LogisticLoss(3, logits.data(), labels.data()), 0.0);
  const Floats wrong = {0.0F};
  EXPECT_EQ(LogisticLoss(1, logits.data(), wrong.data()), static_cast<double>(1e30F));
  const Floats label = {1.0F};
  EXPECT_EQ(SoftmaxLoss(1, 3, logits.data(), label.data()),
            static_cast<double>(3e38F) + static_cast<double>(1e30F));
  const Floats none = {kNan, 1.0F, 2.0F};
  EXPECT_TRUE(std::isnan(LogisticLoss(1, none.data(), label.data())));
  EXPECT_TRUE(std::isnan(SoftmaxLoss(1, 3, none.data(), label.data())));
}

TEST(KernelsTest, LevelsAreNamedAndSupported) {
  ASSERT_TRUE(Supported());
  ASSERT_FALSE(AvailableLevels().empty());
  AtEachLevel([] { EXPECT_THAT(std::string(LevelName()), testing::StartsWith("AVX")); });
}

// Every test here that says "the same at each level" holds as much as this says.
TEST(KernelsTest, TheOutputSaysWhichLevelsWereCompared) {
  const std::string compared = ComparedLevels();
  RecordProperty("levels", compared);
  std::printf("%s\n", compared.c_str());
  if (AvailableLevels().size() < 2) {
    GTEST_SKIP() << compared;
  }
  EXPECT_EQ(compared, "compared AVX2 with AVX3");
}

}  // namespace
}  // namespace millrace::network::kernels
