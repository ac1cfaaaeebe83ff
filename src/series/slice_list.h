// Slices of a long series, one after another, in little memory: what neighbours share is kept once.
#pragma once

#include <array>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "columns/value_list.h"
#include "series/check_fields.h"

namespace dicube {

using Numbers = std::vector<std::size_t>;  // of slices

class SliceList {
 public:
  void push(const Slice& slice);
  std::size_t size() const { return fields_[0].size(); }
  std::size_t held_bytes() const;  // memory

  // One slice, looked at in the list: row[&Slice::rows]. Texts are the list's.
  class Row {
   public:
    Row(const SliceList& list, std::size_t number) : list_(&list), number_(number) {}
    std::string_view operator[](std::string Slice::*field) const { return as_text(bytes(field)); }
    std::vector<Plane> operator[](std::vector<Plane> Slice::*field) const;
    template <class T>
    std::optional<T> operator[](std::optional<T> Slice::*field) const {
      std::optional<T> value;
      if (const ByteSpan kept = bytes(field); !kept.empty()) std::memcpy(&value.emplace(), kept.data(), sizeof(T));
      return value;
    }

   private:
    template <class Field>
    ByteSpan bytes(Field field) const {
      return list_->fields_[number_of(field)][number_];
    }
    const SliceList* list_;
    std::size_t number_;
  };
  Row operator[](std::size_t number) const { return {*this, number}; }
  Slice slice(std::size_t number) const;  // a copy

 private:
  static constexpr std::size_t kNumbers = std::size(kSliceNumbers), kTexts = std::size(kSliceTexts), kOthers = 7;

  // Where a field's values are in fields_.
  static constexpr std::size_t number_of(std::optional<double> Slice::*field) { return found(kSliceNumbers, field); }
  static constexpr std::size_t number_of(std::string Slice::*field) { return kNumbers + found(kSliceTexts, field); }
  static constexpr std::size_t number_of(std::optional<std::array<double, 3>> Slice::*) { return kNumbers + kTexts; }
  static constexpr std::size_t number_of(std::optional<std::array<double, 6>> Slice::*) {
    return kNumbers + kTexts + 1;
  }
  static constexpr std::size_t number_of(std::optional<std::array<double, 2>> Slice::*) {
    return kNumbers + kTexts + 2;
  }
  static constexpr std::size_t number_of(std::optional<bool> Slice::*field) {
    return kNumbers + kTexts + (field == &Slice::has_frames ? 3 : field == &Slice::is_whole ? 4 : 5);
  }
  static constexpr std::size_t number_of(std::vector<Plane> Slice::*) { return kNumbers + kTexts + 6; }

  template <class T, std::size_t N>
  static constexpr std::size_t found(const SliceField<T> (&fields)[N], T Slice::*field) {
    std::size_t number = 0;
    while (fields[number].member != field) ++number;
    return number;
  }

  // All fields, each handed to `visit`.
  template <class Visit>
  static void each_field(Visit visit) {
    for (const auto& field : kSliceNumbers) visit(field.member);
    for (const auto& field : kSliceTexts) visit(field.member);
    visit(&Slice::position);
    visit(&Slice::orientation);
    visit(&Slice::pixel_spacing);
    visit(&Slice::has_frames);
    visit(&Slice::is_whole);
    visit(&Slice::is_broken);
    visit(&Slice::planes);
  }

  std::array<columns::ValueList, kNumbers + kTexts + kOthers> fields_;
};

}  // namespace dicube
