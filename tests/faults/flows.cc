#include "common/status/check.h"
#include "tests/faults/flow.h"

namespace millrace::faults {

std::vector<Flow> Flows() {
  return {DataFirstImport(),
          DataImport(),
          DataDelete(),
          ServingUpload(),
          ServingRoute(),
          ServingDelete(),
          TrainingAdd(),
          TrainingAppend(),
          TrainingPublish(),
          TrainingCheckpoint(),
          AuditAppend()};
}

std::vector<Flow> Canaries() {
  return {NaiveInPlace(),
          NaiveWithoutSync(),
          NaiveWithoutFileSync(),
          NaiveWithoutFolderSync(),
          NaiveCatalog(),
          NaiveOnTwoThreads()};
}

Flow FlowOf(const std::string& name) {
  for (const std::vector<Flow>& flows : {Flows(), Canaries()}) {
    for (const Flow& flow : flows) {
      if (flow.name == name) {
        return flow;
      }
    }
  }
  CHECK(false);
  return {};
}

}  // namespace millrace::faults
