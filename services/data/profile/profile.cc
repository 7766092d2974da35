#include "services/data/profile/profile.h"

#include "common/statistics/summary.h"

namespace millrace::data {

schema::v1::Statistics Profile(const features::Table& table) {
  return statistics::Summarize(table);
}

}  // namespace millrace::data
