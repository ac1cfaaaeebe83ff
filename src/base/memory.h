// What the allocator does with memory that was freed.
#pragma once

namespace dicube {

// Gives it back to the system, where the allocator would keep it: between two kinds of work that need much of it.
void return_free_memory();

}  // namespace dicube
