#include "common/model/signature.h"

namespace millrace::model {

serving::v1::ModelSignature SignatureOf(const schema::v1::TransformSet& transforms) {
  serving::v1::ModelSignature signature;
  for (const schema::v1::FeatureTransform& transform : transforms.features()) {
    serving::v1::ModelSignature::Feature& feature = *signature.add_features();
    feature.set_name(transform.column().name());
    feature.set_type(transform.column().type());
  }
  signature.set_task(transforms.task());
  signature.set_label(transforms.label().column().name());
  *signature.mutable_classes() = transforms.label().classes();
  if (transforms.task() == schema::v1::TASK_BINARY && signature.classes_size() > 0) {
    signature.set_positive_class(*signature.classes().rbegin());
  }
  return signature;
}

}  // namespace millrace::model
