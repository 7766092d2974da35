// Listing: pages of a list, as one.

#pragma once

#include <algorithm>

#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/shell.h"
#include "common/status/status.h"

namespace millrace::cli {

constexpr int kListDefault = 100;    // rows of a list, where the user does not say
constexpr int kListMax = 1'000'000;  // that the user can ask for

/// Items of one page: what its first field repeats.
template <typename Response>
int ItemCount(const Response& page) {
  return page.GetReflection()->FieldSize(page, Response::descriptor()->FindFieldByNumber(1));
}

/// Calls `method` page by page until there are `limit` items or no more, and says on the error
/// stream when something was left out.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> List(Shell& shell,
                              const absl::StatusOr<Stub*>& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              Request request,
                              int limit) {
  constexpr int kPageMax = 1000;
  Response all;
  for (int wanted = limit; wanted > 0; wanted = limit - ItemCount(all)) {
    request.set_page_size(std::min(wanted, kPageMax));
    ASSIGN_OR_RETURN(const Response page, shell.connection.Call(stub, method, request));
    all.MergeFrom(page);
    all.set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty()) {
      return all;
    }
    if (ItemCount(page) == 0) {
      return Internal("the service sent an empty page that is not the last");
    }
    request.set_page_token(page.next_page_token());
  }
  shell.console.Note(fmt::format("the newest {}; --limit shows more", limit));
  return all;
}

}  // namespace millrace::cli
