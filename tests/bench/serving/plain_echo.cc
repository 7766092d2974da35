// plain_echo: what a call costs when nothing is done for it.
//
//     plain_echo FOLDER
//
// Answers Predict and ModelInfer with the bytes in FOLDER/predict and FOLDER/infer, inline, with
// gRPC's default options and nothing of ours; writes its port to FOLDER/echo.port; ends by SIGTERM.

#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "inference/open_inference_grpc.grpc.pb.h"

namespace {

using millrace::serving::v1::PredictRequest;
using millrace::serving::v1::PredictResponse;
using millrace::serving::v1::ServingService;

class PredictEcho final : public ServingService::CallbackService {
 public:
  PredictResponse answer;

  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context,
                                    const PredictRequest* /*request*/,
                                    PredictResponse* response) override {
    *response = answer;
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class InferEcho final : public inference::GRPCInferenceService::CallbackService {
 public:
  inference::ModelInferResponse answer;

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* /*request*/,
                                       inference::ModelInferResponse* response) override {
    *response = answer;
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

bool Read(const std::string& path, google::protobuf::MessageLite& message) {
  std::ifstream file(path, std::ios::binary);
  return file && message.ParseFromIstream(&file);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc == 2 ? argv[1] : ".";
  PredictEcho predict;
  InferEcho infer;
  if (!Read(folder + "/predict", predict.answer) || !Read(folder + "/infer", infer.answer)) {
    std::fputs("usage: plain_echo FOLDER, with the answers `predict` and `infer` in it\n", stderr);
    return 2;
  }
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&predict);
  builder.RegisterService(&infer);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return 1;
  }
  std::ofstream(folder + "/echo.port") << port << '\n' << std::flush;
  server->Wait();
}
