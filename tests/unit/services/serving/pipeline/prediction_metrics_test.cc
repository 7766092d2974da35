#include "services/serving/pipeline/prediction_metrics.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace millrace::serving {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

class PredictionMetricsTest : public testing::Test {
 protected:
  std::string Text() { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  std::shared_ptr<PredictionMetrics> metrics_ = std::make_shared<PredictionMetrics>(registry_);
};

TEST_F(PredictionMetricsTest, CountsRowsAndTimesAnswersByModelAndVersion) {
  VersionMetrics first(metrics_, "iris", 1);
  VersionMetrics second(metrics_, "iris", 2);
  first.Answered(3, milliseconds(2));
  first.Answered(4, milliseconds(20));
  second.Answered(1, milliseconds(2));

  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr(R"(millrace_prediction_rows_total{model="iris",version="1"} 7)"));
  EXPECT_THAT(text, HasSubstr(R"(millrace_prediction_rows_total{model="iris",version="2"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(millrace_prediction_seconds_count{model="iris",version="1"} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(millrace_prediction_seconds_bucket{model="iris",version="1",le="0.0025"} 1)"));
}

TEST_F(PredictionMetricsTest, AVersionHasSeriesFromItsFirstPredictionToItsEnd) {
  {
    VersionMetrics version(metrics_, "iris", 1);
    EXPECT_THAT(Text(), Not(HasSubstr("iris")));
    version.Answered(1, milliseconds(1));
    EXPECT_THAT(Text(), HasSubstr("iris"));
  }
  EXPECT_THAT(Text(), Not(HasSubstr("iris")));
}

TEST_F(PredictionMetricsTest, AThousandVersionsDoNotMakeAThousandSeries) {
  std::deque<VersionMetrics> versions;
  for (int number = 1; number <= 1'000; ++number) {
    versions.emplace_back(metrics_, "iris", number).Answered(2, milliseconds(1));
  }
  const std::string text = Text();
  std::size_t count = 0;
  for (std::size_t at = 0;
       (at = text.find("\nmillrace_prediction_rows_total{", at)) != std::string::npos;
       ++at) {
    ++count;
  }
  EXPECT_EQ(count, PredictionMetrics::kVersionsMax + 1);
  EXPECT_THAT(text,
              HasSubstr(R"(millrace_prediction_rows_total{model="other",version="other"} 1488)"));

  versions.clear();  // and there is room again
  VersionMetrics(metrics_, "iris", 1'001).Answered(1, milliseconds(1));
  VersionMetrics next(metrics_, "iris", 1'002);
  next.Answered(1, milliseconds(1));
  EXPECT_THAT(Text(), HasSubstr(R"(version="1002"} 1)"));
}

}  // namespace
}  // namespace millrace::serving
