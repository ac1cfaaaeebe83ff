// The whole C++ interface of DiCube.
#pragma once

#include "dicube/archive.h"
#include "dicube/error.h"
#include "dicube/pixel_buffer.h"
#include "dicube/series.h"
