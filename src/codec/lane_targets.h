// Which vector units the lane codec is compiled for; included in front of Highway's headers.
#pragma once

// Vectors of a size that is known only when the program runs would need another layout of tables. SSSE3 alone is what
// processors had until 2008; what came after AVX3_DL and after plain NEON differs from it in nothing that is used here;
// and GCC makes constructors without the options that NEON's others need. Each target takes half a minute to compile,
// and minutes under the sanitizers, where the least, the middle and the largest vectors of x86 have to do.
#define DICUBE_UNUSED_TARGETS                                                                                 \
  (HWY_ALL_SVE | HWY_RVV | HWY_SCALAR | HWY_NEON | HWY_NEON_BF16 | HWY_SSSE3 | HWY_AVX3_ZEN4 | HWY_AVX3_SPR | \
   HWY_AVX10_2)
#ifdef DICUBE_SANITIZED
#define HWY_DISABLED_TARGETS (DICUBE_UNUSED_TARGETS | HWY_SSE4 | HWY_AVX3)
#else
#define HWY_DISABLED_TARGETS DICUBE_UNUSED_TARGETS
#endif
