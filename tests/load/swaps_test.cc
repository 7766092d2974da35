// A thousand changes of what serves, while clients ask.

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "services/serving/load/loaded_model.h"
#include "services/serving/predict/predictor.h"
#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

constexpr int kRounds = 334;  // of three changes each
constexpr int kKept = 3;      // versions

// A model and what it answers to the one row that is asked.
struct Known {
  std::string bytes;
  std::string sha256;      // of them, hexadecimal
  std::string prediction;  // of Predict, serialized
  std::string output;      // of ModelInfer, raw
};

const std::vector<float>& Encoded() {
  static const std::vector<float> x = {0.25F, 0, 0, 1};
  return x;
}

v1::PredictRequest RawRow() {
  v1::PredictRequest request;
  request.set_model("models/m");
  request.add_columns("age");
  request.add_columns("colour");
  schema::v1::Row& row = *request.add_rows();
  row.add_values()->set_number(20);
  row.add_values()->set_text("red");
  return request;
}

inference::ModelInferRequest EncodedRow() {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  auto& input = *request.add_inputs();
  input.set_name("features");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(static_cast<std::int64_t>(Encoded().size()));
  request.add_raw_input_contents(reinterpret_cast<const char*>(Encoded().data()),
                                 Encoded().size() * sizeof(float));
  return request;
}

// Computed here from the bundle, by nothing that serves.
Known KnowModel(float weights) {
  Known known;
  known.bytes = SmallBytes(weights);
  known.sha256 = storage::ToHex(storage::Sha256Of(known.bytes));
  const auto model = LoadModel(known.bytes);
  CHECK(model.ok());
  const Predictor predictor(model->manifest.schema(), model->transformer, model->plan, model->loss);
  std::vector<float> answers(2);
  CHECK(predictor.Infer(1, Encoded(), answers).ok());
  known.output.assign(reinterpret_cast<const char*>(answers.data()),
                      answers.size() * sizeof(float));
  const v1::PredictRequest request = RawRow();
  google::protobuf::RepeatedPtrField<v1::Prediction> predictions;
  CHECK(predictor.Predict(request.columns(), request.rows(), predictions).ok());
  known.prediction = predictions[0].SerializeAsString();
  return known;
}

class SwapsTest : public ServingStackTest {
 protected:
  SwapsTest() {
    for (int i = 0; i < kRounds; ++i) {
      known_.push_back(KnowModel(0.5F + 0.01F * static_cast<float>(i)));
    }
  }

  // The name of version `number` as both services say it, or empty when there is none such.
  const Known* VersionOf(const std::string& text) const {
    const int number = std::atoi(text.c_str());
    return number >= 1 && number <= kRounds ? &known_[static_cast<std::size_t>(number - 1)]
                                            : nullptr;
  }

  void Predict() {
    const auto stub = v1::ServingService::NewStub(channel_);
    const v1::PredictRequest request = RawRow();
    const std::string prefix = "models/m/versions/";
    while (!stop_) {
      Call call;
      v1::PredictResponse response;
      const grpc::Status status = stub->Predict(&call.context, request, &response);
      const std::string& name = response.lineage().model_version();
      const Known* const known =
          name.size() > prefix.size() ? VersionOf(name.substr(prefix.size())) : nullptr;
      Note(status,
           name,
           known != nullptr && response.predictions_size() == 1 &&
               response.predictions(0).SerializeAsString() == known->prediction &&
               response.lineage().bundle_sha256() == known->sha256);
    }
  }

  void Infer() {
    const auto stub = inference::GRPCInferenceService::NewStub(channel_);
    const inference::ModelInferRequest request = EncodedRow();
    while (!stop_) {
      Call call;
      inference::ModelInferResponse response;
      const grpc::Status status = stub->ModelInfer(&call.context, request, &response);
      const Known* const known = VersionOf(response.model_version());
      Note(status,
           response.model_version(),
           known != nullptr && response.raw_output_contents_size() == 1 &&
               response.raw_output_contents(0) == known->output);
    }
  }

  void Note(const grpc::Status& status, const std::string& version, bool right) {
    const std::lock_guard lock(mutex_);
    ++answered_;
    versions_.insert(version);
    if (!status.ok() || !right) {
      ++failed_;
      failure_ =
          status.ok() ? fmt::format("a wrong answer of {}", version) : status.error_message();
    }
  }

  void Upload(const std::string& bytes) {
    Call call;
    v1::ModelVersion version;
    const auto writer = stack_->stub->UploadModel(&call.context, &version);
    v1::UploadModelRequest message;
    message.mutable_header()->set_model("models/m");
    writer->Write(message);
    message.mutable_chunk()->set_data(bytes);
    writer->Write(message);
    message.mutable_close()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
    message.mutable_close()->set_sha256(storage::Sha256Of(bytes));
    writer->Write(message);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // All traffic to one version, or for 0 to the newest.
  void SetRoute(int version) {
    Call call;
    v1::SetRouteRequest request;
    request.mutable_route()->set_model("models/m");
    if (version > 0) {
      v1::RouteShare& share = *request.mutable_route()->add_shares();
      share.set_version(version);
      share.set_percent(100);
    }
    v1::Route route;
    const grpc::Status status = stack_->stub->SetRoute(&call.context, request, &route);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  void Delete(int version) {
    Call call;
    v1::DeleteModelVersionRequest request;
    request.set_name(fmt::format("models/m/versions/{}", version));
    v1::DeleteModelVersionResponse response;
    const grpc::Status status = stack_->stub->DeleteModelVersion(&call.context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  std::vector<Known> known_;  // of version i + 1
  std::shared_ptr<grpc::Channel> channel_ =
      rpc::MakeChannel("127.0.0.1:" + std::to_string(stack_->server->port()));
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  // All guarded by mutex_.
  int answered_ = 0;
  std::set<std::string> versions_;
  int failed_ = 0;
  std::string failure_;  // the last one
};

TEST_F(SwapsTest, AThousandSwapsUnderLoadNeitherFailNorMixAnswers) {
  std::set<std::string> outputs;
  for (const Known& known : known_) {
    outputs.insert(known.output);
  }
  ASSERT_EQ(outputs.size(), known_.size()) << "no two versions answer alike";
  Upload(known_[0].bytes);
  std::vector<std::thread> clients;
  clients.emplace_back([this] { Predict(); });
  clients.emplace_back([this] { Predict(); });
  clients.emplace_back([this] { Infer(); });
  clients.emplace_back([this] { Infer(); });
  for (int round = 2; round <= kRounds && !HasFailure(); ++round) {
    Upload(known_[static_cast<std::size_t>(round - 1)].bytes);  // takes the traffic
    SetRoute(round - 1);
    SetRoute(0);
    if (round > kKept) {
      Delete(round - kKept);
    }
  }
  stop_ = true;
  for (std::thread& client : clients) {
    client.join();
  }

  EXPECT_EQ(failed_, 0) << failure_;
  EXPECT_GT(answered_, kRounds) << "there was load";
  EXPECT_GT(versions_.size(), 100U) << "the load saw the swaps";
}

}  // namespace
}  // namespace millrace::serving
