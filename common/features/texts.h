// Texts: many texts in one piece of memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::features {

/// A vector of texts that are added and never changed. It allocates for all of them together, so
/// a million texts cost little more than their bytes. What it gives points into it, until the next
/// text is added.
class Texts {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the names that algorithms and matchers ask for.
  using value_type = std::string_view;

  /// Goes over the texts in order.
  class const_iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    const_iterator() = default;

    const_iterator(const Texts* texts, std::size_t at) : texts_(texts), at_(at) {}

    std::string_view operator*() const { return (*texts_)[at_]; }

    const_iterator& operator++() {
      ++at_;
      return *this;
    }

    const_iterator operator++(int) { return {texts_, at_++}; }

    friend bool operator==(const const_iterator&, const const_iterator&) = default;

   private:
    const Texts* texts_ = nullptr;
    std::size_t at_ = 0;
  };

  using iterator = const_iterator;
  // NOLINTEND(readability-identifier-naming)

  Texts() = default;

  Texts(std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) {
      push_back(text);
    }
  }

  /// Texts of `sizes` that stand one after another in `bytes`. Requires: they fill it.
  static Texts Split(std::string_view bytes, std::span<const std::uint32_t> sizes);

  void push_back(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }

  void clear() {
    bytes_.clear();
    ends_.clear();
  }

  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + begin, ends_[i] - begin};
  }

  [[nodiscard]] std::string_view front() const { return (*this)[0]; }

  [[nodiscard]] std::size_t size() const { return ends_.size(); }

  [[nodiscard]] bool empty() const { return ends_.empty(); }

  /// All of them, one after another.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

  /// Memory that they take, about.
  [[nodiscard]] std::size_t MemoryBytes() const {
    return bytes_.size() + ends_.size() * sizeof(std::size_t);
  }

  [[nodiscard]] const_iterator begin() const { return {this, 0}; }

  [[nodiscard]] const_iterator end() const { return {this, size()}; }

  friend bool operator==(const Texts&, const Texts&) = default;

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;  // in bytes_
};

}  // namespace millrace::features
