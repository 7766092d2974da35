// Sha256: the name of everything immutable.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::storage {

/// SHA-256 (FIPS 180-4) over bytes as they come, by OpenSSL.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);

  /// The 32 bytes; ends the use of this object.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The 32 bytes of the digest of `bytes`.
std::string Sha256Of(std::string_view bytes);

/// Bytes as lower-case hexadecimal.
std::string ToHex(std::string_view bytes);

/// Whether `text` is so many lower-case hexadecimal digits; those of a whole digest by default.
bool IsHex(std::string_view text, std::size_t digits = 64);

}  // namespace millrace::storage
