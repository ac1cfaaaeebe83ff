#include "base/memory.h"

#include <cstdlib>  // says whose library it is
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace dicube {

void return_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace dicube
