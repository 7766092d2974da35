// Method names: what a call's path says, and whether it is true.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::rpc {

/// "package.Service/Method" of a call's path "/package.Service/Method".
std::string_view MethodOf(std::string_view path);

/// Whether `method` is one of a service in `services`, full names in the generated descriptor pool.
bool IsMethod(const std::vector<std::string>& services, std::string_view method);

/// The names of the methods of `service`, in the order of its file; empty when nobody knows it.
std::vector<std::string> MethodsOf(const std::string& service);

/// The full name of the message that `method` takes; empty when nobody knows it.
std::string RequestOf(std::string_view method);

}  // namespace millrace::rpc
