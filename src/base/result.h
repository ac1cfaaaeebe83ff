// Short forms for returning errors.
#pragma once

#include "base/formatted.h"

#include <utility>

#include "dicube/error.h"

namespace dicube {

// An error to return: `return fail(ErrorClass::kDamaged, "section {} ends at {}", id, end);`
template <class... Args>
tl::unexpected<Error> fail(ErrorClass error_class, fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected<Error>(Error{error_class, formatted(text, std::forward<Args>(args)...)});
}

}  // namespace dicube

// Returns from the enclosing function when `expression` (a Status or Result) holds an error.
#define DICUBE_TRY(expression)                                                    \
  do {                                                                            \
    if (auto dicube_status = (expression); !dicube_status.has_value())            \
      return ::tl::unexpected<::dicube::Error>(std::move(dicube_status).error()); \
  } while (false)

#define DICUBE_JOIN_(a, b) a##b
#define DICUBE_JOIN(a, b) DICUBE_JOIN_(a, b)

// `DICUBE_ASSIGN(auto x, f());` declares x from a Result's value, or returns its error.
#define DICUBE_ASSIGN(declaration, expression)                                                          \
  auto DICUBE_JOIN(dicube_result_, __LINE__) = (expression);                                            \
  if (!DICUBE_JOIN(dicube_result_, __LINE__).has_value())                                               \
    return ::tl::unexpected<::dicube::Error>(std::move(DICUBE_JOIN(dicube_result_, __LINE__)).error()); \
  declaration = *std::move(DICUBE_JOIN(dicube_result_, __LINE__))
