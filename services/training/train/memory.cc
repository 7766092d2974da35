#include "services/training/train/memory.h"

#include <cmath>
#include <limits>

#include "services/training/train/optimizer.h"

namespace millrace::training {

std::int64_t TrainingBytes(const model::v1::TrainingSpec& spec,
                           const network::Network& network,
                           std::int64_t examples) {
  // In double, so that no promise of a dataset overflows.
  const double arrays =
      3 + Optimizer(spec.optimizer()).slot_count() + (spec.has_early_stopping() ? 1 : 0);
  double units = static_cast<double>(network.inputs());
  for (const network::LayerPlan& layer : network.layers()) {
    units += static_cast<double>(layer.outputs);
  }
  const double floats = static_cast<double>(network.parameter_count()) * arrays +
                        2 * static_cast<double>(spec.batch_size()) * units +
                        static_cast<double>(examples) * (static_cast<double>(network.inputs()) + 1);
  const double bytes = floats * sizeof(float);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return bytes < static_cast<double>(kMost) ? std::llround(bytes) : kMost;
}

}  // namespace millrace::training
