// Which vector units the lane codec is compiled for; included in front of Highway's headers.
#pragma once

// Vectors of a size that is known only when the program runs would need another layout of tables. SSSE3 alone is what processors had until
// 2008; Zen 4 takes AVX3_DL, from which its own target differs in nothing that is used here. Each target takes half a minute to compile, and
// minutes under the sanitizers, where the least, the middle and the largest vectors of x86 have to do.
#ifdef DICUBE_SANITIZED
#define HWY_DISABLED_TARGETS (HWY_ALL_SVE | HWY_RVV | HWY_SCALAR | HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_ZEN4)
#else
#define HWY_DISABLED_TARGETS (HWY_ALL_SVE | HWY_RVV | HWY_SCALAR | HWY_SSSE3 | HWY_AVX3_ZEN4)
#endif
